"""Small documents for the parsers' tests, good and hostile, built on the spot."""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import docx
import pypdf
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

_MAIN = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
_TYPES = (
    '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/word/document.xml" ContentType="{_MAIN}"/></Types>'
)
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_RELATIONS = (
    '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="word/document.xml"/></Relationships>'
)
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def pdf(
    path: Path, pages: Sequence[Sequence[tuple[str, int]]], *, outline: Sequence[tuple[int, str, int]] = ()
) -> Path:
    """A PDF; a page is its lines with their font sizes. `outline`: page number, title, depth."""
    canvas = Canvas(str(path), pagesize=A4)
    for number, lines in enumerate(pages, 1):
        _entries(canvas, [entry for entry in outline if entry[0] == number])
        y = 800.0
        for text, size in lines:
            canvas.setFont("Helvetica", size)
            canvas.drawString(60, y, text)
            y -= size * 1.2
        canvas.showPage()
    canvas.save()
    return path


def _entries(canvas: Canvas, entries: Sequence[tuple[int, str, int]]) -> None:
    for number, title, depth in entries:
        key = f"{number}-{title}"
        canvas.bookmarkPage(key)
        canvas.addOutlineEntry(title, key, level=depth)


def encrypted_pdf(path: Path) -> Path:
    """A PDF that opens with a password alone."""
    writer = pypdf.PdfWriter()
    writer.add_blank_page(width=200, height=200)
    writer.encrypt("secret")
    writer.write(path)
    return path


def word(path: Path) -> Path:
    """A Word document with headings, a list, a table and a title."""
    document = docx.Document()
    document.core_properties.title = "Leave policy"
    document.add_heading("Leave", level=1)
    document.add_paragraph("Everybody has thirty days of leave.")
    document.add_heading("Carry over", level=2)
    document.add_paragraph("Five days go into the next year.", style="List Bullet")
    table = document.add_table(rows=2, cols=2)
    for cell, text in zip(table._cells, ("Country", "Days", "Norway", "25"), strict=True):
        cell.text = text
    document.save(str(path))
    return path


def word_of_xml(path: Path, xml: bytes, *, parts: int = 0) -> Path:
    """A Word document whose main part is the given XML, with as many further parts."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", _TYPES)
        archive.writestr("_rels/.rels", _RELATIONS)
        archive.writestr("word/document.xml", xml)
        for number in range(parts):
            archive.writestr(f"word/media/{number}.xml", "x")
    return path


def word_xml(text: str, *, dtd: str = "") -> bytes:
    """The XML of a main part with one paragraph."""
    body = f"<w:body><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:body>"
    return f'<?xml version="1.0"?>{dtd}<w:document xmlns:w="{_WORD}">{body}</w:document>'.encode()


def nested_html(depth: int) -> str:
    """Elements within elements."""
    return "<html><body>" + "<div>" * depth + "deep words" + "</div>" * depth + "<p>after it</p></body></html>"


def other_zip() -> bytes:
    """An archive that is no Word document."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("xl/workbook.xml", "<x/>")
    return buffer.getvalue()
