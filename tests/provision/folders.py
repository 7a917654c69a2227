"""Where fetched parts stay between test runs. Git ignores it; deleting it costs a download."""

from pathlib import Path

CACHE = Path(__file__).resolve().parents[2] / ".cache"
MODELS = CACHE / "models"
