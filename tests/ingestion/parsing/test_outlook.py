"""An Outlook message keeps what an e-mail keeps, whatever of its container is broken."""

import struct
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Union

import pytest
from compressed_rtf import compress  # type: ignore[import-untyped]

from ingestion.errors import DamagedDocumentError, ParseError
from ingestion.parsing.base import ParsedDocument, ParseOptions
from ingestion.parsing.media_types import MSG
from ingestion.parsing.outlook import MsgParser
from ingestion.parsing.sniff import sniff

Parse = Callable[[Path], ParsedDocument]
# A storage: names to streams or to storages.
Tree = Mapping[str, Union[bytes, "Tree"]]

FREE, LAST, TABLE = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
SECTOR, SMALL, SMALL_BELOW = 512, 64, 4096
SENT = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
TO, CC = 1, 2


def text(number: int, value: str) -> dict[str, bytes]:
    return {f"__substg1.0_{number:04X}001F": value.encode("utf-16-le")}


def binary(number: int, value: bytes) -> dict[str, bytes]:
    return {f"__substg1.0_{number:04X}0102": value}


def properties(*entries: tuple[int, int, int], header: int = 32) -> dict[str, bytes]:
    """The stream of properties of fixed size: number, kind, value."""
    packed = (struct.pack("<LLQ", number << 16 | kind, 6, value) for number, kind, value in entries)
    return {"__properties_version1.0": b"\0" * header + b"".join(packed)}


def filetime(moment: datetime) -> int:
    return int((moment - datetime(1601, 1, 1, tzinfo=UTC)).total_seconds()) * 10_000_000


def recipient(name: str, mail: str, kind: int) -> Tree:
    return {**properties((0x0C15, 3, kind), header=8), **text(0x3001, name), **text(0x39FE, mail)}


def attachment(name: str, content: bytes) -> Tree:
    return {**properties(header=8), **text(0x3707, name), **binary(0x3701, content)}


def message(**parts: Tree) -> dict[str, bytes | Tree]:
    """A message from Ada about leave; `parts` by the names of their storages."""
    return {
        **properties((0x0039, 0x40, filetime(SENT))),
        **text(0x0037, "Leave"),
        **text(0x0C1A, "Ada"),
        **text(0x5D01, "ada@example.com"),
        **text(0x1000, "Dear all,\r\nthirty days."),
        **{f"__{name[:-1]}_version1.0_#0000000{name[-1]}": part for name, part in parts.items()},
    }


def container(tree: Tree) -> bytes:
    """The bytes of an OLE compound file ([MS-CFB], version 3) that holds the tree."""
    entries: list[list[object]] = [["Root Entry", 5, FREE, FREE, b""]]
    _add(tree, entries, parent=0)
    small, small_table = b"", list[int]()
    sectors: list[bytes] = []
    table: list[int] = []

    def large(data: bytes) -> int:
        start = len(sectors)
        parts = [data[at : at + SECTOR].ljust(SECTOR, b"\0") for at in range(0, len(data), SECTOR)]
        sectors.extend(parts)
        table.extend([*range(start + 1, start + len(parts)), LAST] if parts else [])
        return start if parts else LAST

    placed: list[tuple[list[object], int, int]] = []
    for entry in entries[1:]:
        data = entry[4]
        assert isinstance(data, bytes)
        if entry[1] != 2 or len(data) >= SMALL_BELOW:
            placed.append((entry, large(data) if entry[1] == 2 else 0, len(data)))
            continue
        start, count = len(small_table), -(-len(data) // SMALL)
        small += data.ljust(count * SMALL, b"\0")
        small_table += [*range(start + 1, start + count), LAST] if count else []
        placed.append((entry, start if count else LAST, len(data)))
    root = (entries[0], large(small), len(small))
    directory = b"".join(_packed(entry, start=start, size=size) for entry, start, size in (root, *placed))
    directory_at = large(directory)
    small_table_at = large(struct.pack(f"<{len(small_table)}L", *small_table))
    while len(sectors) % 127:
        sectors.append(b"\0" * SECTOR)
        table.append(FREE)
    tables = len(sectors) // 127
    first = len(sectors)
    table += [TABLE] * tables
    sectors += [struct.pack("<128L", *table[at : at + 128]) for at in range(0, len(table), 128)]
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 16 + struct.pack("<HHHHH6x", 62, 3, 0xFFFE, 9, 6)
    small_sectors = -(-len(small_table) * 4 // SECTOR)
    header += struct.pack("<LLLLLLLLL", 0, tables, directory_at, 0, SMALL_BELOW, small_table_at, small_sectors, LAST, 0)
    header += struct.pack("<109L", *range(first, first + tables), *[FREE] * (109 - tables))
    return header + b"".join(sectors)


def _add(tree: Tree, entries: list[list[object]], *, parent: int) -> None:
    """The entries of a storage, each the right sibling of the one before."""
    before = None
    for name, part in tree.items():
        number = len(entries)
        entries.append(
            [name, 2 if isinstance(part, bytes) else 1, FREE, FREE, part if isinstance(part, bytes) else b""]
        )
        entries[parent if before is None else before][3 if before is None else 2] = number
        before = number
        if not isinstance(part, bytes):
            _add(part, entries, parent=number)


def _packed(entry: list[object], *, start: int, size: int) -> bytes:
    name, kind, right, child, _ = entry
    wide = str(name).encode("utf-16-le")
    head = wide.ljust(64, b"\0") + struct.pack("<HBBLLL", len(wide) + 2, kind, 1, FREE, right, child)
    return head.ljust(116, b"\0") + struct.pack("<LQ", start, size)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The parsing child works in a folder of its own."""
    own = tmp_path / "own"
    own.mkdir()
    monkeypatch.chdir(own)
    return own


def read(tree: Tree) -> ParsedDocument:
    path = Path.cwd().parent / "a.msg"
    path.write_bytes(container(tree))
    return MsgParser(ParseOptions(max_chars=100_000)).parse(path)


def test_the_lines_above_the_message_stand_above_its_text(parse: Parse, tmp_path: Path) -> None:
    tree = message(
        recip0=recipient("Bob", "bob@example.com", TO),
        recip1=recipient("", "c@example.com", TO),
        recip2=recipient("Dan", "", CC),
    )
    path = tmp_path / "a.msg"
    path.write_bytes(container(tree))
    assert sniff(path, name="upload") == MSG
    document = parse(path)
    assert (document.title, document.dated) == ("Leave", SENT)
    assert [section.text for section in document.sections] == [
        "From: Ada <ada@example.com>\nTo: Bob <bob@example.com>, c@example.com\nCc: Dan\nDate: 2024-05-06 07:08 UTC\n"
        "Subject: Leave\n\nDear all,\nthirty days."
    ]


def test_a_message_with_html_alone_is_read() -> None:
    tree = {**message(), **text(0x1000, ""), **properties((0x3FDE, 3, 932))}
    html = "<p>予算</p><table><tr><th>a<th>b<tr><td>1<td>2</table>".encode("cp932")
    document = read({**tree, **binary(0x1013, html)})
    assert document.sections[0].text.endswith("予算")
    assert document.sections[1].text == "| 1 | 2 |"


def test_a_message_of_an_old_codepage_is_read() -> None:
    tree = {
        **properties((0x3FFD, 3, 1251)),
        "__substg1.0_0037001E": "Отпуск".encode("cp1251"),
        "__substg1.0_1000001E": "Тридцать дней".encode("cp1251"),
    }
    document = read(tree)
    assert (document.title, document.sections[0].text) == ("Отпуск", "Subject: Отпуск\n\nТридцать дней")  # noqa: RUF001


@pytest.mark.parametrize("is_packed", [True, False])
def test_a_body_of_compressed_rich_text_is_read(is_packed: bool) -> None:
    packed = compress(b"{\\rtf1\\ansi The mast is \\b 12 m\\b0  high.\\par}", compressed=is_packed)
    assert (
        "The mast is 12 m high." in read({**message(), **text(0x1000, ""), **binary(0x1009, packed)}).sections[0].text
    )


@pytest.mark.parametrize("packed", [b"x", b"\0" * 40, struct.pack("<LLLL", 20, 8, 0x75465A4C, 0) + b"\xff" * 8])
def test_rich_text_that_is_broken_costs_only_itself(packed: bytes) -> None:
    document = read({**message(), **text(0x1000, ""), **binary(0x1009, packed)})
    assert document.sections[0].text.endswith("Subject: Leave")
    assert document.notes == ("The text of the message could not be read.",)


def test_attachments_are_read_and_say_where_they_are(folder: Path) -> None:
    tree = message(
        attach0=attachment("../rules.md", b"# Rules\nThirty days."),
        attach1=attachment("big.txt", b"many words " * 1000),
        attach2=attachment("a.bin", bytes(range(256)) * 8),
    )
    document = read(tree)
    assert [section.place for section in document.sections] == ["", "attachment rules.md", "attachment big.txt"]
    assert document.sections[1].heading == "rules.md > Rules"
    assert document.notes == ("Attachment 3 could not be read: unsupported type.",)
    assert list(folder.iterdir()) == []


def test_an_attached_message_is_read_with_what_is_attached_to_it() -> None:
    inner = message(attach0=attachment("inner.txt", b"inner words"))
    inner |= properties((0x0039, 0x40, filetime(SENT)), header=24) | text(0x0037, "Forwarded")
    outer: Tree = {**properties(header=8), **text(0x3001, "Forwarded"), "__substg1.0_3701000D": inner}
    found = read(message(attach0=outer)).sections
    assert [section.place for section in found] == [
        "",
        "attachment Forwarded",
        "attachment Forwarded, attachment inner.txt",
    ]
    assert "Date: 2024-05-06 07:08 UTC\nSubject: Forwarded" in found[1].text


@pytest.mark.parametrize("kept", [0.1, 0.3, 0.6, 0.9])
def test_a_container_that_is_cut_off_is_an_error_or_what_is_left(tmp_path: Path, kept: float) -> None:
    content = container(message(attach0=attachment("a.txt", b"words " * 2000)))
    path = tmp_path / "a.msg"
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(DamagedDocumentError):
        MsgParser(ParseOptions(max_chars=1000)).parse(path)


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.filterwarnings("ignore")
def test_no_broken_container_breaks_the_parser(tmp_path: Path, seed: int) -> None:
    content = bytearray(container(message(attach0=attachment("a.txt", b"words " * 200))))
    for step in range(12):
        content[512 + (seed * 7919 + step * 104_729) % (len(content) - 512)] = (seed * 31 + step * 17) % 256
    path = tmp_path / "a.msg"
    path.write_bytes(content)
    try:
        MsgParser(ParseOptions(max_chars=100_000)).parse(path)
    except ParseError:
        return
