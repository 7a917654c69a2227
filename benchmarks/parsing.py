"""Have every file below some folders parsed as a worker does, and print how each ended, its time and its memory.

    python -m benchmarks.parsing FOLDER... [--small 500] [--slowest 10]

`--small N` also measures what a child costs, on N small Markdown files. Exit status 1 where a file ended in another
way than as a document or a known error.
"""

import argparse
import collections
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from ingestion.config import IngestionConfig
from ingestion.errors import ParseError
from ingestion.parsing import supervision
from ingestion.parsing.jobs import Job, Outcome
from ingestion.parsing.media_types import ZIP
from ingestion.parsing.runner import parse_file, unpack_file
from ingestion.parsing.sandbox import isolation
from ingestion.parsing.sniff import sniff

_MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class Ending:
    """How a file ended: 'parsed', 'unpacked' or an error's code. `peak_bytes` is 0 where no child was needed."""

    path: Path
    ended: str
    seconds: float
    peak_bytes: int
    said: str = ""


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--small", type=int, default=0, help="so many small files, to measure what a child costs")
    parser.add_argument("--slowest", type=int, default=10, help="how many of the slowest and the largest are listed")
    parser.add_argument("--verbose", action="store_true", help="a line for each file")
    options = parser.parse_args()
    print(f"layers of isolation: {', '.join(sorted(isolation()))}")
    with tempfile.TemporaryDirectory() as name:
        config = IngestionConfig(files_dir=Path(name) / "files", index_dir=Path(name) / "index")
        if options.small:
            print(f"{_ms_a_small_file(Path(name), options.small, config=config):.1f} ms a small file")
        endings = list(_endings(options.folders, config=config))
    if options.verbose:
        _print(endings)
    _summarise(endings, most=options.slowest)
    if any(ending.ended.startswith("!") for ending in endings):
        raise SystemExit(1)


def _ms_a_small_file(folder: Path, count: int, *, config: IngestionConfig) -> float:
    path = folder / "small.md"
    path.write_text("# Heading\n\nSome words.\n\n## Second\n\n" + "More words of a small file. " * 40)
    parse_file(path, name=path.name, config=config)
    started = time.perf_counter()
    for _ in range(count):
        parse_file(path, name=path.name, config=config)
    return (time.perf_counter() - started) / count * 1000


def _endings(folders: list[Path], *, config: IngestionConfig) -> Iterator[Ending]:
    outcomes: list[Outcome] = []
    original = supervision.run

    def recorded(job: Job, *, held: ExitStack) -> Outcome:
        outcomes.append(original(job, held=held))
        return outcomes[-1]

    supervision.run = recorded
    for path in sorted(path for folder in folders for path in folder.rglob("*") if path.is_file()):
        outcomes.clear()
        started = time.perf_counter()
        ended, said = _ended(path, config=config)
        seconds = time.perf_counter() - started
        yield Ending(path, ended, seconds, max((outcome.peak_bytes for outcome in outcomes), default=0), said)


def _ended(path: Path, *, config: IngestionConfig) -> tuple[str, str]:
    try:
        media_type = sniff(path, name=path.name)
        if media_type == ZIP:
            with tempfile.TemporaryDirectory() as into:
                return "unpacked", f"{len(unpack_file(path, into=Path(into), config=config))} files"
        parsed = parse_file(path, name=path.name, media_type=media_type, config=config)
        return "parsed", f"{sum(len(section.text) for section in parsed.sections)} characters"
    except ParseError as exc:
        return exc.code, str(exc)
    except Exception as exc:
        # What no caller expects is what this is here to find.
        return f"!{type(exc).__name__}", str(exc)


def _print(endings: list[Ending]) -> None:
    for each in endings:
        memory = each.peak_bytes / _MEBIBYTE
        print(f"{each.ended:20} {each.seconds:7.2f} s {memory:7.0f} MiB  {each.path}  {each.said[:200]!r}")


def _summarise(endings: list[Ending], *, most: int) -> None:
    for ended, count in collections.Counter(ending.ended for ending in endings).most_common():
        print(f"{count:6} {ended}")
    print("\nslowest")
    _print(sorted(endings, key=lambda ending: -ending.seconds)[:most])
    print("\nlargest")
    _print(sorted(endings, key=lambda ending: -ending.peak_bytes)[:most])


if __name__ == "__main__":
    main()
