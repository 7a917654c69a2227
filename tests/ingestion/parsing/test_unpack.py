"""An archive gives its files under numbers, within limits, whatever its names and its directory say."""

import stat
import struct
import warnings
from collections.abc import Sequence
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import pytest

from ingestion.errors import ArchiveLimitError, DamagedDocumentError, EncryptedDocumentError
from ingestion.parsing.unpack import ArchiveLimits, Member, unpack

MIB = 1024 * 1024


def packed(folder: Path, entries: Sequence[tuple[str | ZipInfo, bytes]]) -> Path:
    path = folder / "archive.zip"
    with warnings.catch_warnings(), ZipFile(path, "w", ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore", UserWarning)
        for name, content in entries:
            archive.writestr(name, content)
    return path


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "into"
    folder.mkdir()
    return folder


def test_files_come_out_under_numbers_with_their_paths_to_show(tmp_path: Path, into: Path) -> None:
    path = packed(tmp_path, [("policies/leave.md", b"# Leave"), ("a.txt", b"a")])
    assert unpack(path, into) == (Member("policies/leave.md", "1"), Member("a.txt", "2"))
    assert (into / "1").read_bytes() == b"# Leave"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../tmp/canary.txt", "tmp/canary.txt"),
        ("/etc/passwd", "etc/passwd"),
        ("C:\\Windows\\a.txt", "Windows/a.txt"),
        ("..\\..\\a.txt", "a.txt"),
        ("inv\u202eoice\x07.txt", "invoice.txt"),
        ("...", "..."),
        ("n" * 300 + ".txt", "n" * 251 + ".txt"),
    ],
)
def test_names_are_shown_clean_and_lead_nowhere(tmp_path: Path, into: Path, name: str, shown: str) -> None:
    (member,) = unpack(packed(tmp_path, [(name, b"x")]), into)
    assert member == Member(shown, "1")
    assert [file.name for file in into.iterdir()] == ["1"]


def test_two_files_of_one_name_are_two_files(tmp_path: Path, into: Path) -> None:
    members = unpack(packed(tmp_path, [("a.txt", b"one"), ("a.txt", b"two")]), into)
    assert [(into / member.file).read_bytes() for member in members] == [b"one", b"two"]


def test_names_without_a_flag_may_be_utf8(tmp_path: Path, into: Path) -> None:
    path = packed(tmp_path, [("GroXXXe.txt", b"x")])
    path.write_bytes(path.read_bytes().replace(b"GroXXXe", "Größe".encode()))
    assert unpack(path, into)[0].name == "Größe.txt"


def test_folders_links_and_files_of_systems_are_left_out(tmp_path: Path, into: Path) -> None:
    link = ZipInfo("link")
    link.create_system = 3
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    entries: list[tuple[str | ZipInfo, bytes]] = [
        ("folder/", b""),
        ("empty.txt", b""),
        ("__MACOSX/._a.txt", b"x"),
        (".DS_Store", b"x"),
        ("b/Thumbs.db", b"x"),
        ("._b.txt", b"x"),
        (link, b"/etc/passwd"),
        ("kept.txt", b"x"),
    ]
    assert [member.name for member in unpack(packed(tmp_path, entries), into)] == ["kept.txt"]


def test_a_bomb_is_stopped_as_it_unpacks(tmp_path: Path, into: Path) -> None:
    path = packed(tmp_path, [("bomb.txt", b"0" * (64 * MIB))])
    with pytest.raises(ArchiveLimitError, match="densely"):
        unpack(path, into)
    assert (into / "1").stat().st_size <= 16 * MIB


def test_a_size_that_the_directory_hides_is_counted(tmp_path: Path, into: Path) -> None:
    path = packed(tmp_path, [("a.bin", b"0" * (2 * MIB)), ("b.bin", b"0" * (2 * MIB))])
    with pytest.raises(ArchiveLimitError, match="more than"):
        unpack(path, into, limits=ArchiveLimits(unpacked_bytes=3 * MIB))


def test_too_many_files_are_refused_before_any_is_written(tmp_path: Path, into: Path) -> None:
    path = packed(tmp_path, [(f"{number}.txt", b"x") for number in range(11)])
    with pytest.raises(ArchiveLimitError, match="11 files"):
        unpack(path, into, limits=ArchiveLimits(entries=10))
    assert list(into.iterdir()) == []


def test_an_archive_behind_a_password_says_so(tmp_path: Path, into: Path) -> None:
    path = packed(tmp_path, [("a.txt", b"secret")])
    data = bytearray(path.read_bytes())
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + at] |= 1
    path.write_bytes(data)
    with pytest.raises(EncryptedDocumentError):
        unpack(path, into)


@pytest.mark.parametrize("kept", [0.3, 0.8])
def test_an_archive_that_is_cut_off_is_damaged(tmp_path: Path, into: Path, kept: float) -> None:
    path = packed(tmp_path, [("a.txt", bytes(range(256)) * 40)])
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    with pytest.raises(DamagedDocumentError):
        unpack(path, into)


def test_an_archive_with_broken_content_is_damaged(tmp_path: Path, into: Path) -> None:
    path = packed(tmp_path, [("a.txt", b"words " * 1000)])
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x03\x04") + 30 + len("a.txt") + 4
    data[at : at + 6] = struct.pack("<6B", 255, 0, 255, 0, 255, 0)
    path.write_bytes(data)
    with pytest.raises(DamagedDocumentError):
        unpack(path, into)
