"""A parser that misbehaves costs its own process, and nothing else."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from ingestion.config import IngestionConfig
from ingestion.errors import (
    DamagedDocumentError,
    ParseError,
    ParseMemoryError,
    ParserCrashedError,
    ParseTimeoutError,
    TooMuchTextError,
)
from ingestion.parsing.base import ParsedDocument
from ingestion.parsing.runner import parse_file
from ingestion.parsing.sniff import TEXT

ROOT = Path(__file__).parents[3]


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "words.txt"
    path.write_text("words")
    return path


def run(name: str, document: Path, config: IngestionConfig) -> ParsedDocument:
    parsers = {TEXT: f"tests.ingestion.parsing.hostile_parsers:{name}"}
    return parse_file(document, name=document.name, config=config, parsers=parsers)


@pytest.mark.parametrize(
    ("parser", "error", "words"),
    [
        ("Hog", ParseMemoryError, "memory"),
        ("Crash", ParserCrashedError, "-6"),
        ("Deep", DamagedDocumentError, "nested"),
        ("Flood", TooMuchTextError, "characters"),
        ("Many", TooMuchTextError, "sections"),
        ("Nested", ParserCrashedError, "cut off"),
        ("Objects", TooMuchTextError, "parts"),
        ("OtherShape", ParserCrashedError, "shape"),
        ("Pipe", ParserCrashedError, "no file"),
        ("Silent", ParserCrashedError, "no answer"),
        ("Connecting", DamagedDocumentError, "may not: socket"),
        ("Spawning", DamagedDocumentError, "may not: subprocess"),
        ("Writing", DamagedDocumentError, "may not write"),
        ("NoSuchParser", DamagedDocumentError, "AttributeError"),
    ],
)
def test_misbehaviour_has_its_own_error(
    parser: str, error: type[ParseError], words: str, document: Path, config: IngestionConfig
) -> None:
    small = config.model_copy(update={"parse_memory_bytes": 512 * 1024 * 1024, "max_text_chars": 400_000})
    with pytest.raises(error, match=words):
        run(parser, document, small)
    assert [path.name for path in document.parent.iterdir()] == ["words.txt"]


def test_endless_parser_is_ended_at_the_time_limit(document: Path, config: IngestionConfig) -> None:
    with pytest.raises(ParseTimeoutError):
        run("Loop", document, config.model_copy(update={"parse_timeout_s": 1.0}))


def test_child_sees_nothing_of_the_parents_environment(
    document: Path, config: IngestionConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAGAPP_SECRET_KEY", "a-secret-of-the-parent")
    seen = run("Environment", document, config).sections[0].text
    assert "a-secret-of-the-parent" not in seen
    assert "RAGAPP" not in seen


def test_ninety_megabytes_of_text_are_refused_by_size(tmp_path: Path, config: IngestionConfig) -> None:
    path = tmp_path / "large.txt"
    with path.open("wb") as file:
        for _ in range(90):
            file.write(b"words, " * 150_000)
    with pytest.raises(TooMuchTextError):
        parse_file(path, name=path.name, config=config)


def test_text_above_the_limit_is_refused_though_the_file_is_small(document: Path, config: IngestionConfig) -> None:
    document.write_text("words " * 300)
    with pytest.raises(TooMuchTextError):
        parse_file(document, name="words.txt", config=config.model_copy(update={"max_text_chars": 1000}))


def test_names_of_files_are_data(tmp_path: Path, config: IngestionConfig) -> None:
    path = tmp_path / "--help; rm -rf $(x) \n.txt"
    path.write_text("words")
    assert parse_file(path, name=path.name, config=config).sections[0].text == "words"


def test_child_dies_with_a_parent_that_is_killed(document: Path, tmp_path: Path) -> None:
    program = textwrap.dedent(f"""
        from pathlib import Path
        from ingestion.config import IngestionConfig
        from ingestion.parsing.runner import parse_file
        parse_file(
            Path({str(document)!r}), name="words.txt",
            config=IngestionConfig(files_dir=Path("f"), index_dir=Path("i")),
            parsers={{"text/plain": "tests.ingestion.parsing.hostile_parsers:Loop"}},
        )
    """)
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", program], env=environment) as parent:
        child = _pid_of_child(tmp_path)
        parent.send_signal(signal.SIGKILL)
    for _ in range(100):
        if not Path(f"/proc/{child}").exists():
            return
        time.sleep(0.1)
    os.kill(child, signal.SIGKILL)
    pytest.fail("the child outlived its parent")


def _pid_of_child(folder: Path) -> int:
    for _ in range(300):
        for path in folder.glob("ragapp-parse-*/pid"):
            if text := path.read_text():
                return int(text)
        time.sleep(0.1)
    raise AssertionError("the child never started")
