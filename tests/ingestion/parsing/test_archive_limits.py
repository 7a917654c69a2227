"""Archives and their XML are bounded before they are read."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from ingestion.errors import ArchiveLimitError, DamagedDocumentError, EncryptedDocumentError
from ingestion.parsing.archive_limits import core_properties, joined, opened


def made(folder: Path, parts: Mapping[str, bytes | str]) -> Path:
    path = folder / "made.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def test_parts_are_found_whatever_their_slashes_and_case(tmp_path: Path) -> None:
    with opened(made(tmp_path, {"Word\\Document.XML": "<a/>"})) as archive:
        assert "/word/document.xml" in archive
        assert archive.root("word/document.xml").tag == "a"


def test_a_part_that_is_missing_is_damage(tmp_path: Path) -> None:
    with opened(made(tmp_path, {"a": "x"})) as archive, pytest.raises(DamagedDocumentError):
        archive.root("b")


def test_an_encrypted_entry_needs_a_password(tmp_path: Path) -> None:
    path = made(tmp_path, {"a.xml": "<a/>"})
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(EncryptedDocumentError), opened(path):
        pass


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no archive", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_archive_is_damage(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "none.zip"
    path.write_bytes(content)
    with pytest.raises(DamagedDocumentError), opened(path) as archive:
        archive.root("a.xml")


def test_flipped_bytes_in_a_part_are_damage(tmp_path: Path) -> None:
    path = made(tmp_path, {"a.xml": "<a>" + "word " * 1_000 + "</a>"})
    content = bytearray(path.read_bytes())
    content[45] ^= 0xFF
    path.write_bytes(content)
    with opened(path) as archive, pytest.raises(DamagedDocumentError):
        archive.root("a.xml")


@pytest.mark.parametrize(
    "xml",
    [
        '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        '<?xml version="1.0"?><!-- c --><!DOCTYPE a SYSTEM "http://127.0.0.1:9/x"><a/>',
        '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'.encode("utf-16"),
        " " * 70_000 + "<a/>",
        "",
    ],
)
def test_declared_types_entities_and_long_prologues_are_refused(tmp_path: Path, xml: str | bytes) -> None:
    with opened(made(tmp_path, {"a.xml": xml})) as archive, pytest.raises(DamagedDocumentError):
        archive.root("a.xml")


def test_a_part_larger_than_asked_for_is_not_read(tmp_path: Path) -> None:
    with opened(made(tmp_path, {"a": "x" * 100})) as archive, pytest.raises(ArchiveLimitError):
        archive.read("a", most_bytes=99)


def test_outside_relations_are_left_out(tmp_path: Path) -> None:
    links = (
        '<Relationships><Relationship Id="1" Type="x/image" Target="http://127.0.0.1:9/i" TargetMode="External"/>'
        '<Relationship Id="2" Type="x/slide" Target="../slides/s.xml"/></Relationships>'
    )
    with opened(made(tmp_path, {"ppt/a/_rels/main.xml.rels": links})) as archive:
        relations = archive.relations("ppt/a/main.xml")
    assert {key: part.name for key, part in relations.items()} == {"2": "ppt/slides/s.xml"}


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("b.xml", "ppt/b.xml"),
        ("/c/b.xml", "c/b.xml"),
        ("../../../../etc/passwd", "etc/passwd"),
        ("a%20b.xml#x", "ppt/a b.xml"),
    ],
)
def test_targets_never_lead_out_of_the_archive(target: str, expected: str) -> None:
    assert joined("ppt", target) == expected


@pytest.mark.parametrize("core", ["<broken", '<!DOCTYPE a [<!ENTITY x "y">]><a><title>&x;</title></a>'])
def test_broken_properties_do_not_cost_the_document(tmp_path: Path, core: str) -> None:
    with opened(made(tmp_path, {"docProps/core.xml": core})) as archive:
        assert core_properties(archive).title == ""
