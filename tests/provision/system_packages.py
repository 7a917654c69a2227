"""Parts that come from the operating system: installed where that is ours to do (root, Debian), else asked for."""

import os
import shutil
import subprocess

from tests.provision.missing import MissingPartError


def install(package: str, *, to_get: str) -> None:
    """Install a Debian package. Raises MissingPartError where this user or system cannot."""
    apt_get = shutil.which("apt-get")
    if apt_get is None or os.geteuid() != 0:
        raise MissingPartError(f"Tests need {to_get}. Debian, Ubuntu: apt-get install {package}")
    print(f"Installing {package} with apt-get", flush=True)
    for arguments in (["update"], ["install", "--yes", "--no-install-recommends", package]):
        _apt_get([apt_get, "-q", *arguments], package=package)


def _apt_get(command: list[str], *, package: str) -> None:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise MissingPartError(f"{' '.join(command)} failed, so {package} is missing:\n{done.stderr[-2000:]}")
