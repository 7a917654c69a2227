"""An e-mail keeps who, when and about what; what is attached is read too, and never costs the message."""

import base64
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest

from ingestion.parsing import attachments
from ingestion.parsing.base import ParsedDocument, ParseOptions, Section
from ingestion.parsing.mail import EmlParser
from tests.ingestion.parsing import files

Parse = Callable[[Path], ParsedDocument]

PLAIN = "Content-Type: text/plain"
HEAD = b"From: Ada <ada@example.com>\nTo: all@example.com\nSubject: Leave\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The parsing child works in a folder of its own."""
    own = tmp_path / "own"
    own.mkdir()
    monkeypatch.chdir(own)
    return own


def read(content: bytes, *, max_chars: int = 100_000) -> ParsedDocument:
    path = Path.cwd().parent / "message.eml"
    path.write_bytes(content)
    return EmlParser(ParseOptions(max_chars=max_chars)).parse(path)


def text(content: bytes) -> str:
    return "\n".join(section.text for section in read(content).sections)


def message(body: str = "Dear all") -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "Ada <ada@example.com>", "all@example.com", "Leave"
    made.set_content(body)
    return made


def with_attachment(name: str, content: bytes, *, kind: str = "application/octet-stream") -> EmailMessage:
    made = message()
    made.add_attachment(content, *kind.split("/"), filename=name)
    return made


def test_the_lines_above_the_message_stand_above_its_text(parse: Parse, tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(
        HEAD + b"Cc: Bob <b@x.de>\nDate: Mon, 6 May 2024 09:08:07 +0200\n\nDear all,\nrest.\n"
    )
    document = parse(tmp_path / "a.eml")
    assert document.title == "Leave"
    assert document.dated == datetime(2024, 5, 6, 7, 8, 7, tzinfo=UTC)
    assert [section.text for section in document.sections] == [
        "From: Ada <ada@example.com>\nTo: all@example.com\nCc: Bob <b@x.de>\nDate: Mon, 6 May 2024 09:08:07 +0200\n"
        "Subject: Leave\n\nDear all,\nrest."
    ]


def test_encoded_words_and_raw_bytes_in_headers_are_read() -> None:
    subject = (
        "=?utf-8?q?Gr=C3=B6=C3=9Fe?=\n =?iso-8859-1?b?" + base64.b64encode("für".encode("latin-1")).decode() + "?="
    )
    document = read(f"From: Jörg <j@x.de>\nSubject: {subject}\n\nx".encode())
    assert document.title == "Größefür"
    assert "From: Jörg <j@x.de>" in document.sections[0].text


@pytest.mark.parametrize(
    ("head", "body", "words"),
    [
        (f"{PLAIN}; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable", b"Gr=F6=DFe=\n!", "Größe!"),
        (f"{PLAIN}; charset=utf-8\nContent-Transfer-Encoding: base64", base64.b64encode("Größe".encode()), "Größe"),
        ("Content-Type: text/plain; charset=iso-2022-jp", "社内規程 予算".encode("iso-2022-jp"), "社内規程 予算"),
        ("Content-Type: text/plain; charset=gb2312", "机密预算".encode("gb18030"), "机密预算"),
        ("Content-Type: text/plain; charset=utf-99", b"\xff\xfehello"[2:], "hello"),
        ("Content-Type: text/plain\nContent-Transfer-Encoding: base64", b"!!!!====", "Leave"),
        ("Content-Type: multipart/mixed", b"no boundary", "no boundary"),
        ("Content-Type: multipart/mixed; boundary=b", b"--b\n\nnever closed", "never closed"),
        ("Content-Type: text/html; charset=koi8-r", "<h1>Секретный</h1> бюджет".encode("koi8-r"), "бюджет"),
        ("Content-Type: text/html", "<meta charset=shift_jis><p>予算会議".encode("shift_jis"), "予算会議"),
        ("Content-Type: text/plain; charset*=u'x'8\nContent-Transfer-Encoding: 8bit", b"gr\xc3\xbc", "grü"),
        ("Content-Type: a/b/c; charset==; x", b"odd type", "odd type"),
    ],
)  # fmt: skip
def test_the_text_is_decoded_as_far_as_it_goes(head: str, body: bytes, words: str) -> None:
    assert words in text(HEAD + head.encode() + b"\n\n" + body)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_a_message_that_was_saved_in_another_encoding_is_read(encoding: str) -> None:
    content = (HEAD + b"Content-Type: text/plain; charset=utf-8\n\n" + "Größe".encode()).decode().encode(encoding)
    document = read(content)
    assert (document.title, document.sections[0].text[-5:]) == ("Leave", "Größe")


def test_the_plain_text_is_read_and_not_its_twin() -> None:
    made = message("Dear all")
    made.add_alternative("<p>Dear <b>all</b></p>", subtype="html")
    assert text(made.as_bytes()).count("Dear") == 1


def test_a_plain_text_that_says_nothing_gives_way_to_the_html() -> None:
    made = message("Use another program.")
    made.add_alternative(f"<h2>Rules</h2><p>{'Thirty days. ' * 20}</p>", subtype="html")
    document = read(made.as_bytes())
    assert [section.heading for section in document.sections] == ["", "Rules"]
    assert "another program" not in document.sections[1].text


def test_html_keeps_tables_and_loses_what_is_hidden() -> None:
    html = "<div style='display:none'>preheader</div><p>Costs</p><table><tr><th>a<th>b<tr><td>1<td>2</table>"
    document = read(HEAD + b"Content-Type: text/html\n\n" + html.encode())
    assert [section.text for section in document.sections][1:] == ["| 1 | 2 |"]
    assert document.sections[0].text.endswith("Subject: Leave\n\nCosts")
    assert document.notes == ("Hidden text was left out in 1 places.",)


def test_a_message_without_a_body_is_its_headers() -> None:
    assert text(HEAD + b"\n").endswith("Subject: Leave")


def test_what_is_no_message_is_its_text() -> None:
    assert text(b"This is not a valid message.") == "This is not a valid message."


def test_a_report_of_a_delivery_is_text() -> None:
    content = HEAD + (
        b"Content-Type: multipart/report; boundary=b\n\n--b\n\nIt failed.\n--b\n"
        b"Content-Type: message/delivery-status\n\nReporting-MTA: dns; x\n\nStatus: 5.1.1\n--b--\n"
    )
    assert "It failed." in text(content)
    assert "Status: 5.1.1" in text(content)


def test_attachments_are_read_and_say_where_they_are(tmp_path: Path) -> None:
    made = with_attachment("rules.md", b"# Leave\nThirty days.", kind="text/markdown")
    made.add_attachment(
        files.pdf(tmp_path / "x", [[("One", 12)], [("Two", 12)]]).read_bytes(), "application", "pdf", filename="a.pdf"
    )
    document = read(made.as_bytes())
    assert "Attachments: rules.md, a.pdf" in document.sections[0].text
    assert document.sections[1] == Section(
        "# Leave\n\nThirty days.", heading="rules.md > Leave", place="attachment rules.md"
    )
    pages = [(section.text, section.page, section.place, section.lines) for section in document.sections[2:]]
    assert pages == [("One", None, "attachment a.pdf, page 1", ()), ("Two", None, "attachment a.pdf, page 2", ())]


def test_an_attached_message_is_read_with_what_is_attached_to_it() -> None:
    inner = with_attachment("inner.txt", b"inner words")
    inner.replace_header("Subject", "Forwarded")
    made = message()
    made.add_attachment(inner)
    found = read(made.as_bytes()).sections
    assert [section.place for section in found] == [
        "",
        "attachment Forwarded",
        "attachment Forwarded, attachment inner.txt",
    ]
    assert "From: Ada" in found[1].text
    assert found[2].text == "inner words"


def test_a_message_in_a_file_is_read_as_an_attached_one() -> None:
    found = read(
        with_attachment("mail.eml", with_attachment("inner.txt", b"inner words").as_bytes()).as_bytes()
    ).sections
    assert found[-1].place == "attachment mail.eml, attachment inner.txt"


def test_files_in_an_attached_archive_are_read(tmp_path: Path, folder: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("../rules.txt", "Thirty days.")
        archive.writestr("b.bin", bytes(range(256)) * 8)
    document = read(with_attachment("a.zip", (tmp_path / "a.zip").read_bytes()).as_bytes())
    assert document.sections[1].place == "attachment a.zip, attachment rules.txt"
    assert document.notes == ("Attachment 1: File 2 could not be read: unsupported type.",)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.bin", bytes(range(256)) * 8, "unsupported type"),
        ("a.pdf", b"no PDF", "damaged document"),
        ("a.docx", b"PK\x03\x04", "damaged document"),
        ("empty.txt", b"", "empty document"),
        ("blank.md", b"<!-- x -->", "no text"),
    ],
)
def test_what_cannot_be_read_costs_a_note_and_not_the_message(name: str, content: bytes, reason: str) -> None:
    document = read(with_attachment(name, content).as_bytes())
    assert document.notes == (f"Attachment 1 could not be read: {reason}.",)
    assert document.sections[0].text.endswith("Dear all")


def test_a_parser_that_breaks_costs_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: object, path: Path) -> ParsedDocument:
        raise RecursionError

    monkeypatch.setattr("ingestion.parsing.text.TextParser.parse", broken)
    assert read(with_attachment("a.txt", b"x").as_bytes()).notes == (
        "Attachment 1 could not be read: damaged document.",
    )


def test_small_pictures_are_no_text() -> None:
    document = read(with_attachment("pixel.gif", b"GIF89a" + b"\0" * 40).as_bytes())
    assert (len(document.sections), document.notes) == (1, ())


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ('"../../../../tmp/att_canary.txt"', "att_canary.txt"),
        ('"..\\\\..\\\\tmp\\\\att_canary.txt"', "att_canary.txt"),
        ('"/tmp/att_canary.txt"', "att_canary.txt"),
        ('"/dev/stdin"', "stdin"),
        ('"inv\u202eoice\u200f.txt"', "invoice.txt"),
        ('"Größe.txt"', "Größe.txt"),
        ('"=?utf-8?q?Gr=C3=B6=C3=9Fe?=.txt"', "Größe.txt"),
        ('"' + "A" * 4096 + '.txt"', "A" * 96 + ".txt"),
        ('".."', "number 1"),
        ('""', "number 1"),
    ],
)
def test_names_of_attachments_are_shown_and_lead_nowhere(folder: Path, written: str, shown: str) -> None:
    head = f"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Disposition: attachment; filename={written}\n\n"
    (_, section) = read(HEAD + head.encode() + b"some words\n--b--\n").sections
    assert section.place == f"attachment {shown}"
    assert list(folder.iterdir()) == []
    assert not Path("/tmp/att_canary.txt").exists()  # noqa: S108


def test_a_name_in_pieces_is_put_together() -> None:
    head = (
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Disposition: attachment;\n"
        b" filename*0*=utf-8''..%2F..%2Ftmp%2F; filename*1*=Gr%C3%B6%C3%9Fe.txt\n\nwords\n--b--\n"
    )
    assert read(HEAD + head).sections[1].place == "attachment Größe.txt"


def test_messages_are_read_three_levels_deep() -> None:
    content = with_attachment("deepest.txt", b"too deep").as_bytes()
    for level in range(6):
        content = b"Subject: level %d\nContent-Type: message/rfc822\n\n" % level + content
    document = read(content)
    assert len(document.sections) == 4
    assert document.notes == ("Attachment 1: Attachment 1: Attachment 1: What is attached 3 levels deep was not read.",)


@pytest.mark.parametrize(
    "inner", [b"Content-Type: message/rfc822\n\n", b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n"]
)
def test_hundreds_of_levels_end(inner: bytes) -> None:
    content = b"".join(inner.replace(b"%d", b"%d" % level) for level in range(2_000))
    assert "level 0" in read(HEAD.replace(b"Leave", b"level 0") + content + b"\nwords", max_chars=1_000_000).title


def test_a_hundred_attachments_are_read() -> None:
    made = message()
    for number in range(103):
        made.add_attachment(f"words {number}", filename=f"{number}.txt")
    document = read(made.as_bytes())
    assert len(document.sections) == 101
    assert document.notes == ("3 attachments more were not read: too many, or too slow.",)


def test_attachments_stop_where_time_runs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attachments, "_MOST_SECONDS", -1.0)
    document = read(with_attachment("a.txt", b"words").as_bytes())
    assert document.notes == ("1 attachments more were not read: too many, or too slow.",)


def test_an_attachment_too_long_costs_a_note_and_the_next_is_read() -> None:
    made = with_attachment("long.txt", b"word " * 1000)
    made.add_attachment("short", filename="short.txt")
    document = read(made.as_bytes(), max_chars=1000)
    assert document.notes == ("Attachment 1 could not be read: too much text.",)
    assert document.sections[-1].text.strip() == "short"


def test_many_parts_are_one_text() -> None:
    parts = b"".join(b"--b\nContent-Type: text/plain\n\np%d\n" % number for number in range(5000))
    (section,) = read(HEAD + b"Content-Type: multipart/mixed; boundary=b\n\n" + parts + b"--b--").sections
    assert section.text.endswith("p4998\n\np4999")


def test_a_header_of_a_megabyte_is_cut() -> None:
    document = read(b"Subject: " + b"A" * 1_000_000 + b"\n\nx")
    assert document.title == "A" * 200
    assert len(document.sections[0].text) < 3000


@pytest.mark.parametrize(
    "date", ["Thu, 99 Foo 99999 99:99:99 +9999", "yesterday", "", "Mon, 6 May 1900 00:00:00 +0000"]
)
def test_a_date_that_is_none_costs_nothing(date: str) -> None:
    assert read(HEAD + f"Date: {date}\n\nx".encode()).dated is None
