"""The sample handbook: each file can be read, and its question set says only what the files say.

Evidence is compared with runs of white space as one space; the cells of a DOCX row are joined with ' | '.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import pypdfium2
import pytest
from docx import Document
from docx.table import Table

SAMPLE = Path(__file__).parents[2] / "ragapp" / "sample"
QUESTIONS = SAMPLE / "questions.jsonl"
DOCUMENTS = sorted(path for path in SAMPLE.iterdir() if path.suffix in {".md", ".pdf", ".docx"})


@dataclass(frozen=True)
class Question:
    question: str
    answer: str | None
    document: str = ""
    page: int | None = None
    evidence: str = ""


def questions() -> list[Question]:
    return [Question(**json.loads(line)) for line in QUESTIONS.read_text(encoding="utf-8").splitlines()]


ANSWERABLE = [question for question in questions() if question.answer is not None]
UNANSWERABLE = [question for question in questions() if question.answer is None]


def pages_of(path: Path) -> list[str]:
    """The text by page; a format without pages is one page."""
    readers = {".md": markdown_pages, ".pdf": pdf_pages, ".docx": docx_pages}
    return [" ".join(page.split()) for page in readers[path.suffix](path)]


def markdown_pages(path: Path) -> list[str]:
    return [path.read_text(encoding="utf-8")]


def pdf_pages(path: Path) -> list[str]:
    with pypdfium2.PdfDocument(path) as pdf:
        return [page_text(pdf, number) for number in range(len(pdf))]


def page_text(pdf: pypdfium2.PdfDocument, number: int) -> str:
    page = pdf[number]
    text = page.get_textpage()
    try:
        return str(text.get_text_bounded())
    finally:
        text.close()
        page.close()


def docx_pages(path: Path) -> list[str]:
    content = Document(str(path)).iter_inner_content()
    return ["\n".join(table_text(part) if isinstance(part, Table) else part.text for part in content)]


def table_text(table: Table) -> str:
    return "\n".join(" | ".join(cell.text for cell in row.cells) for row in table.rows)


def heading_count(path: Path) -> int:
    styles = [part.style for part in Document(str(path)).paragraphs]
    return sum(str(style.name).startswith("Heading") for style in styles if style is not None)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_document_is_readable_and_names_owner_and_effective_date(path: Path) -> None:
    pages = pages_of(path)
    assert all(len(page.split()) > 50 for page in pages)
    assert "Owner" in pages[0]
    assert "Effective" in pages[0]


def test_the_sample_has_four_markdown_two_pdf_and_two_docx_documents() -> None:
    suffixes = [path.suffix for path in DOCUMENTS]
    assert {suffix: suffixes.count(suffix) for suffix in set(suffixes)} == {".md": 4, ".pdf": 2, ".docx": 2}


def test_the_sample_is_small_enough_for_a_first_start() -> None:
    words = sum(len(page.split()) for path in DOCUMENTS for page in pages_of(path))
    assert 6_000 < words < 9_000


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if path.suffix == ".pdf"], ids=lambda p: p.name)
def test_pdfs_have_several_numbered_pages(path: Path) -> None:
    pages = pages_of(path)
    assert len(pages) >= 3
    for number, page in enumerate(pages, start=1):
        assert f"Page {number} of {len(pages)}" in page


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if path.suffix == ".docx"], ids=lambda p: p.name)
def test_docx_files_have_word_headings_and_a_table(path: Path) -> None:
    assert heading_count(path) >= 5
    assert len(Document(str(path)).tables) >= 2


@pytest.mark.parametrize("question", ANSWERABLE, ids=lambda question: question.question)
def test_the_evidence_of_a_question_is_in_the_named_document_and_page(question: Question) -> None:
    path = SAMPLE / question.document
    assert (question.page is None) == (path.suffix != ".pdf"), "a page is named for PDFs, and only for them"
    pages = pages_of(path)
    place = pages[question.page - 1] if question.page else pages[0]
    assert question.evidence
    assert question.evidence in place


def test_the_questions_cover_every_document_and_some_have_no_answer() -> None:
    assert {question.document for question in ANSWERABLE} == {path.name for path in DOCUMENTS}
    assert (len(ANSWERABLE), len(UNANSWERABLE)) == (20, 5)


@pytest.mark.parametrize("question", UNANSWERABLE, ids=lambda question: question.question)
def test_a_question_without_an_answer_names_no_source(question: Question) -> None:
    assert question == Question(question.question, None)
