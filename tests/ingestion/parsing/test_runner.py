"""A parser that misbehaves costs its own process, and nothing else."""

import base64
import json
import os
import zipfile
from array import array
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ingestion.config import IngestionConfig
from ingestion.errors import (
    ArchiveLimitError,
    DamagedDocumentError,
    IngestionError,
    PageNotFoundError,
    ParseError,
    ParseMemoryError,
    ParserCrashedError,
    ParseTimeoutError,
    StorageFullError,
    TooMuchTextError,
)
from ingestion.parsing import runner
from ingestion.parsing.answers import read_bytes
from ingestion.parsing.base import Line, Ocr, ParsedDocument
from ingestion.parsing.media_types import TEXT
from ingestion.parsing.runner import parse_file, render_page, unpack_file
from ingestion.parsing.unpack import ArchiveLimits

_MEGABYTE = 1024 * 1024

Run = Callable[..., ParsedDocument]


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "documents" / "words.txt"
    path.parent.mkdir()
    path.write_text("words")
    return path


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the children's folders are made."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.fixture
def run(document: Path, config: IngestionConfig) -> Run:
    """Have the document parsed by a parser of hostile_parsers, with other settings where given."""

    def run(parser: str, **settings: Any) -> ParsedDocument:
        return parse_file(
            document,
            name=document.name,
            media_type=TEXT,
            config=config.model_copy(update={"parse_timeout_s": 20.0, **settings}),
            parsers={TEXT: f"tests.ingestion.parsing.hostile_parsers:{parser}"},
        )

    return run


@pytest.mark.parametrize(
    ("parser", "error", "words"),
    [
        ("Hog", ParseMemoryError, "memory"),
        ("SharingHog", ParseMemoryError, "took [0-9]+ bytes"),
        ("DyingHog", ParseMemoryError, "died with"),
        ("Crash", ParserCrashedError, "-6"),
        ("Deep", DamagedDocumentError, "nested"),
        ("Flood", TooMuchTextError, "characters"),
        ("Many", TooMuchTextError, "sections"),
        ("Nested", ParserCrashedError, "cut off"),
        ("Objects", TooMuchTextError, "parts"),
        ("Folder", ParserCrashedError, "no file"),
        ("Silent", ParserCrashedError, "no answer"),
        ("LargeFile", TooMuchTextError, "file above"),
        ("LargeFolder", TooMuchTextError, "wrote"),
        ("ManyFiles", TooMuchTextError, "wrote"),
        ("NestedFolders", TooMuchTextError, "wrote"),
        ("Swarm", ParserCrashedError, "threads"),
        ("Connecting", DamagedDocumentError, "may not: socket"),
        ("Spawning", DamagedDocumentError, "may not: subprocess"),
        ("Forking", DamagedDocumentError, "may not: os.fork"),
        ("Writing", DamagedDocumentError, "may not open"),
        ("Reading", DamagedDocumentError, "may not open"),
        ("Removing", DamagedDocumentError, "may not: os.remove"),
        ("NoSuchParser", ParserCrashedError, "AttributeError"),
    ],
)
def test_misbehaviour_has_its_own_error_and_leaves_nothing(
    parser: str, error: type[ParseError], words: str, run: Run, document: Path, temporary: Path
) -> None:
    with pytest.raises(error, match=words):
        run(parser, parse_memory_bytes=512 * _MEGABYTE, max_text_chars=400_000)
    assert [path.name for path in document.parent.iterdir()] == ["words.txt"]
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("parser", ["Loop", "Spin"])
def test_endless_parser_is_ended_at_the_time_limit(parser: str, run: Run, temporary: Path) -> None:
    with pytest.raises(ParseTimeoutError):
        run(parser, parse_timeout_s=1.0)
    assert list(temporary.iterdir()) == []


def test_full_disk_is_told_apart_however_the_parser_wraps_it(run: Run) -> None:
    with pytest.raises(StorageFullError):
        run("NoRoom")


def test_child_sees_nothing_of_the_parents_environment(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAGAPP_SECRET_KEY", "a-secret-of-the-parent")
    seen = run("Environment").sections[0].text
    assert "a-secret-of-the-parent" not in seen
    assert "RAGAPP" not in seen


def test_child_has_no_open_files_but_the_standard_ones(run: Run) -> None:
    # The fourth is the look at the list itself.
    assert run("Environment").sections[0].text.endswith("files: ['0', '1', '2', '3']")


def test_parsers_may_use_threads_and_their_folder(run: Run) -> None:
    assert run("Threaded").sections[0].text == "words words words words"
    assert run("Scratch").sections[0].text == "words True"


def test_nothing_is_left_of_folders_that_are_closed(run: Run, temporary: Path) -> None:
    assert run("ClosedFolders").sections[0].text == "closed"
    assert list(temporary.iterdir()) == []


def test_parser_is_told_name_text_recognition_and_limit(document: Path, config: IngestionConfig) -> None:
    parsed = parse_file(
        document,
        name="Ünder.txt",
        media_type=TEXT,
        config=config,
        ocr=Ocr.NEVER,
        parsers={TEXT: "tests.ingestion.parsing.hostile_parsers:Options"},
    )
    assert parsed.sections[0].text == f"Ünder.txt never {config.max_text_chars}"


def test_every_field_of_a_document_arrives_within_its_bounds(run: Run) -> None:
    parsed = run("Everything")
    first, table = parsed.sections
    assert (first.text, first.page, first.heading, first.place) == ("words here", 2, "A > B", "slide 2")
    assert first.lines == (Line(0, 5, 0.1, 0.2, 0.9, 0.25),) * 2
    assert (table.is_table, table.header, table.place) == (True, "| n |\n| --- |", "sheet Costs")
    assert (parsed.pages, parsed.title) == (7, "Title")
    assert parsed.dated == datetime(2024, 2, 29, 12, 30, tzinfo=UTC)
    assert len(parsed.notes) == 50
    assert parsed.notes[0] == "x" * 300


def test_places_that_are_none_are_left_out_or_turned_round(run: Run) -> None:
    assert run("FalseLines").sections[0].lines == (Line(0, 5, 0.0, 0.2, 1.0, 0.8),)


def test_more_places_than_an_answer_holds_cost_no_text(run: Run) -> None:
    parsed = run("ManyLines")
    assert [len(section.lines) for section in parsed.sections] == [150_000, 0]
    assert [section.text for section in parsed.sections] == ["first", "second"]
    assert "left out" in parsed.notes[0]


def _lines(*numbers: int) -> str:
    return base64.b64encode(array("I", numbers).tobytes()).decode()


def _answer(*, lines: str = "", page: object = 1, **fields: object) -> dict[str, object]:
    section = ["words", page, "", "", False, "", lines]
    return {"document": {"sections": [section], "pages": 1, "title": "", "dated": None, "notes": [], **fields}}


@pytest.mark.parametrize(
    "answer",
    [
        _answer(page="1"),
        _answer(page=-1),
        _answer(page=2**40),
        _answer(pages=1.5),
        _answer(title=None),
        _answer(title="x" * 501),
        _answer(title="x\x00"),
        _answer(dated="yesterday"),
        _answer(dated=5),
        _answer(dated="2024-01-01T00:00:00" + "0" * 40),
        _answer(notes=["x" * 301]),
        _answer(notes=["x"] * 51),
        _answer(lines="no base64"),
        _answer(lines=_lines(0, 1, 0, 0, 1)),
        _answer(lines=_lines(0, 6, 0, 0, 1, 1)),
        _answer(lines=_lines(2, 2, 0, 0, 1, 1)),
        _answer(lines=_lines(0, 1, 0, 0, 10_001, 1)),
        _answer(lines=_lines(0, 1, 5, 0, 1, 1)),
        _answer(sections=[["words", 1, ""]]),
        {},
        [],
        {"members": [["name", "file"]]},
    ],
    ids=lambda answer: json.dumps(answer)[:200],
)
def test_answer_that_is_not_what_it_should_be_is_a_crash(answer: object, document: Path, run: Run) -> None:
    document.write_text(json.dumps(answer))
    with pytest.raises(ParserCrashedError):
        run("Forged")


def test_forged_answer_can_be_a_document(document: Path, run: Run) -> None:
    document.write_text(json.dumps(_answer(lines=_lines(0, 5, 0, 0, 10_000, 10_000))))
    assert run("Forged").sections[0].lines == (Line(0, 5, 0, 0, 1, 1),)


@pytest.mark.parametrize("kind", ["pipe", "link", "folder"])
def test_answer_that_is_no_file_is_not_waited_for_nor_followed(kind: str, tmp_path: Path) -> None:
    left = tmp_path / "answer.json"
    if kind == "pipe":
        os.mkfifo(left)
    elif kind == "link":
        left.symlink_to("/etc/passwd")
    else:
        left.mkdir()
    with pytest.raises(ParserCrashedError):
        read_bytes(left, limit=10)


def test_unknown_error_of_a_child_is_a_parse_error(document: Path, run: Run) -> None:
    document.write_text(json.dumps({"error": {"code": "no_such_code", "message": "x"}}))
    with pytest.raises(ParseError):
        run("Forged")


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


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "archive.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("offers/2024.txt", "an offer")
        file.writestr("../../outside.txt", "outside")
        file.writestr("empty.txt", "")
    return path


@pytest.fixture
def into(tmp_path: Path) -> Path:
    path = tmp_path / "into"
    path.mkdir()
    return path


def test_archive_comes_out_in_its_folder_and_nowhere_else(archive: Path, into: Path, config: IngestionConfig) -> None:
    members = unpack_file(archive, into=into, config=config)
    assert {member.name: (into / member.file).read_text() for member in members} == {
        "offers/2024.txt": "an offer",
        "outside.txt": "outside",
    }
    assert sorted(path.name for path in into.iterdir()) == sorted(member.file for member in members)


def test_archive_that_is_broken_leaves_nothing(archive: Path, into: Path, config: IngestionConfig) -> None:
    archive.write_bytes(archive.read_bytes()[:-30])
    with pytest.raises(DamagedDocumentError):
        unpack_file(archive, into=into, config=config)
    assert list(into.iterdir()) == []


@pytest.mark.parametrize(
    ("unpacker", "error"),
    [
        ("unpack_elsewhere", ParserCrashedError),
        ("unpack_nothing", ParserCrashedError),
        ("unpack_twice", ParserCrashedError),
        ("unpack_folder", ParserCrashedError),
        ("unpack_without_end", ArchiveLimitError),
    ],
)
def test_members_that_are_no_files_of_their_own_are_refused(
    unpacker: str,
    error: type[ParseError],
    archive: Path,
    into: Path,
    config: IngestionConfig,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runner, "_UNPACKER", f"tests.ingestion.parsing.hostile_parsers:{unpacker}")
    monkeypatch.setattr(runner, "LIMITS", ArchiveLimits(unpacked_bytes=32 * _MEGABYTE))
    with pytest.raises(error):
        unpack_file(archive, into=into, config=config)
    assert list(into.iterdir()) == []


@pytest.fixture
def draw(document: Path, config: IngestionConfig, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], bytes]:
    def draw(renderer: str) -> bytes:
        monkeypatch.setattr(runner, "_RENDERER", f"tests.ingestion.parsing.hostile_parsers:{renderer}")
        return render_page(document, page=3, width=640, config=config)

    return draw


def test_picture_of_a_page_comes_back_as_bytes(draw: Callable[[str], bytes]) -> None:
    assert draw("draw").endswith(b"3 640 words")


@pytest.mark.parametrize(
    ("renderer", "error"),
    [
        ("draw_missing", PageNotFoundError),
        ("draw_script", ParserCrashedError),
        ("draw_large", TooMuchTextError),
    ],
)
def test_picture_that_is_none_is_refused(
    renderer: str, error: type[IngestionError], draw: Callable[[str], bytes]
) -> None:
    with pytest.raises(error):
        draw(renderer)
