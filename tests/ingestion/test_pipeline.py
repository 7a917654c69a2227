"""A file becomes passages, with what its words and its metadata say."""

from pathlib import Path
from zipfile import ZipFile

import pytest

from ingestion.config import IngestionConfig
from ingestion.embedding.hashing import HashingEmbedder
from ingestion.errors import NoTextError
from ingestion.parsing.base import Ocr
from ingestion.parsing.media_types import MARKDOWN
from ingestion.pipeline import ReadDocument, UnpackedArchive, embedded_text, read

TEXT = "# Leave\n\n" + "\n\n".join(
    f"Paragraph {number} about leave. " + "More words of the English language follow here. " * 12
    for number in range(90)
)


@pytest.fixture
def config(tmp_path: Path) -> IngestionConfig:
    return IngestionConfig(files_dir=tmp_path, index_dir=tmp_path, chunk_tokens=60, chunk_overlap_tokens=8)


def result(folder: Path, config: IngestionConfig, content: bytes, name: str) -> ReadDocument | UnpackedArchive:
    path = folder / "stored-under-another-name"
    path.write_bytes(content)
    return read(
        path,
        name=name,
        config=config,
        count_tokens=HashingEmbedder().count_tokens,
        ocr=Ocr.AUTO,
        unpack_into=folder / "members",
    )


def document(folder: Path, config: IngestionConfig, text: str = TEXT, name: str = "Leave policy.md") -> ReadDocument:
    found = result(folder, config, text.encode(), name)
    assert isinstance(found, ReadDocument)
    return found


def test_a_file_is_read_to_passages_and_what_describes_it(tmp_path: Path, config: IngestionConfig) -> None:
    found = document(tmp_path, config)
    assert (found.media_type, found.title, found.pages, found.language) == (MARKDOWN, "Leave", None, "en")
    assert len(found.chunks) > 90
    assert all(chunk.heading == "Leave" for chunk in found.chunks)


def test_the_name_is_the_last_resort_for_a_title(tmp_path: Path, config: IngestionConfig) -> None:
    assert document(tmp_path, config, text="words only").title == "Leave policy"


def test_a_file_of_marks_alone_is_no_text(tmp_path: Path, config: IngestionConfig) -> None:
    with pytest.raises(NoTextError):
        document(tmp_path, config, text="# \n---\n")


def test_a_zip_is_unpacked_and_not_read(tmp_path: Path, config: IngestionConfig) -> None:
    packed = tmp_path / "rules.zip"
    with ZipFile(packed, "w") as archive:
        archive.writestr("rules/leave.txt", "Staff get 25 days.")
    found = result(tmp_path, config, packed.read_bytes(), "rules.zip")
    assert isinstance(found, UnpackedArchive)
    [member] = found.members
    assert member.name == "rules/leave.txt"
    assert (found.folder / member.file).read_text() == "Staff get 25 days."


def test_embedded_text_says_where_and_what() -> None:
    assert embedded_text("Handbook", "Leave > Days", "Thirty.") == "Handbook > Leave > Days\nThirty."
    assert embedded_text("", "", "Thirty.") == "Thirty."
    assert embedded_text("x" * 999, "y", "Thirty.").endswith("\nThirty.")
    assert len(embedded_text("x" * 999, "y", "Thirty.")) < 200
