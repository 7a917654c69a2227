"""A folder's files: which are taken, and that nothing outside it ever is."""

import os
import socket
import time
from pathlib import Path

import pytest
from pydantic import ValidationError

from ingestion.errors import (
    SourceError,
    SourceFolderError,
    SourceItemBusyError,
    SourceItemGoneError,
    SourceMissingError,
)
from ingestion.sources.base import Item
from ingestion.sources.folder import BLOCK, FolderConnector, FolderSettings


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "share"
    folder.mkdir()
    return folder


def put(path: Path, content: bytes = b"text", *, age_s: float = 60) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (time.time() - age_s,) * 2)
    return path


def connector(root: Path, path: Path | None = None) -> FolderConnector:
    return FolderConnector(FolderSettings(path=str(path or root)), roots=(root,))


def keys(found: FolderConnector) -> list[str]:
    return [item.key for item in found.items()]


def test_files_of_the_tree_come_with_path_size_and_mark(root: Path) -> None:
    put(root / "b.txt", b"12345")
    put(root / "deep" / "er" / "a.txt")
    items = {item.key: item for item in connector(root).items()}
    assert set(items) == {"b.txt", "deep/er/a.txt"}
    assert (items["b.txt"].name, items["b.txt"].size, items["b.txt"].settled) == ("b.txt", 5, True)
    assert items["deep/er/a.txt"].name == "a.txt"
    assert b"".join(connector(root).content(items["deep/er/a.txt"])) == b"text"


def test_the_mark_changes_with_the_content_even_where_the_time_is_set_back(root: Path) -> None:
    path = put(root / "a.txt", b"one")
    before, status = next(connector(root).items()).fingerprint, path.stat()
    time.sleep(0.02)
    path.write_bytes(b"two")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert next(connector(root).items()).fingerprint != before


def test_hidden_and_temporary_files_are_passed_over(root: Path) -> None:
    names = (
        ".hidden .git/config ~$plan.docx plan.docx~ a.tmp b.part c.crdownload #x# Thumbs.db desktop.ini @eaDir/x d.swp"
    )
    for name in names.split():
        put(root / name)
    put(root / "kept.txt")
    assert keys(connector(root)) == ["kept.txt"]


def test_a_file_that_was_just_written_is_there_and_not_settled(root: Path) -> None:
    put(root / "new.txt", age_s=0)
    assert [(item.key, item.settled) for item in connector(root).items()] == [("new.txt", False)]


def test_a_file_that_changes_while_it_is_read_is_left_for_the_next_run(root: Path) -> None:
    path = put(root / "big.bin", b"x" * (BLOCK + 10))
    blocks = connector(root).content(next(connector(root).items()))
    next(blocks)
    with path.open("ab") as file:
        file.write(b"more")
    with pytest.raises(SourceItemBusyError):
        list(blocks)


def test_no_link_is_followed_neither_listed_nor_put_in_a_file_s_place(root: Path, tmp_path: Path) -> None:
    secret = put(tmp_path / "outside" / "secret.txt", b"secret")
    put(root / "real" / "secret.txt")
    (root / "link.txt").symlink_to(secret)
    (root / "linked").symlink_to(secret.parent)
    (root / "up").symlink_to("..")
    assert keys(connector(root)) == ["real/secret.txt"]
    for key in ("link.txt", "linked/secret.txt", "up/outside/secret.txt"):
        with pytest.raises(SourceError):
            list(connector(root).content(Item(key=key, name="x", fingerprint="")))
    (root / "real" / "secret.txt").unlink()
    (root / "real").rmdir()
    (root / "real").symlink_to(secret.parent)
    with pytest.raises(SourceItemGoneError):
        list(connector(root).content(Item(key="real/secret.txt", name="x", fingerprint="")))


def test_pipes_and_sockets_are_no_files(root: Path) -> None:
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(root / "socket"))
        assert keys(connector(root)) == []
        with pytest.raises(SourceItemGoneError):
            list(connector(root).content(Item(key="pipe", name="x", fingerprint="")))


def test_a_folder_must_lie_under_an_allowed_one(root: Path, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "share2", Path("/etc")):
        with pytest.raises(SourceFolderError):
            connector(root, path)
    for text in ("share", f"{root}/../outside", "", f"{root}\x00"):
        with pytest.raises(ValidationError):
            FolderSettings(path=text)


def test_a_source_s_folder_that_becomes_a_link_is_not_followed(root: Path, tmp_path: Path) -> None:
    put(tmp_path / "outside" / "secret.txt")
    (root / "team").symlink_to(tmp_path / "outside")
    with pytest.raises(SourceMissingError):
        keys(connector(root, root / "team"))


def test_a_folder_that_is_not_there_is_an_error_and_never_an_empty_list(root: Path) -> None:
    with pytest.raises(SourceMissingError):
        keys(connector(root, root / "unmounted"))


def test_a_name_that_is_no_utf_8_can_be_stored_and_read(root: Path) -> None:
    raw = os.fsencode(root) + b"/caf\xe9.txt"
    with open(raw, "wb") as file:
        file.write(b"coffee")
    os.utime(raw, (time.time() - 60,) * 2)
    found = connector(root)
    item = next(found.items())
    assert item.key.encode() == b"caf\\xe9.txt"
    assert b"".join(found.content(item)) == b"coffee"
