"""Chromium for browser tests: the system's. Playwright's own download is never used."""

import os
import shutil
from pathlib import Path

from tests.provision.missing import MissingPartError
from tests.provision.system_packages import install

NAMES = ("chromium", "chromium-browser", "google-chrome")
# A browser of its own accord asks its maker for updates, lists and experiments; a test run asks nobody.
QUIET = (
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
)


def ensure() -> Path:
    """The browser's program."""
    found = _on_path()
    if found is None:
        install("chromium", to_get="Chromium")
        found = _on_path()
    if found is None:
        raise MissingPartError("Tests need Chromium on PATH: apt-get install chromium")
    return found


def arguments() -> list[str]:
    """How it is started. Its sandbox refuses root, which a container often is."""
    return [*QUIET, *(["--no-sandbox"] if os.geteuid() == 0 else [])]


def _on_path() -> Path | None:
    return next((Path(found) for name in NAMES if (found := shutil.which(name))), None)
