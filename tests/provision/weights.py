"""Model weights for tests: the smallest model that chats, and the default embedding model."""

from pathlib import Path

from ragapp.weights import WeightsError, find
from ragapp.weights import ensure as ensure_weights
from tests.provision.folders import MODELS
from tests.provision.missing import MissingPartError

CHAT = "smollm2-135m-instruct"
EMBEDDING = "all-MiniLM-L6-v2"


def ensure() -> Path:
    """The folder with the weights of both."""
    try:
        for name in (CHAT, EMBEDDING):
            if find(name, MODELS) is None:
                print(f"Fetching {name}", flush=True)
            ensure_weights(name, MODELS)
    except WeightsError as exc:
        raise MissingPartError(f"Tests need model weights. {exc}") from exc
    return MODELS
