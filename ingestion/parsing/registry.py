"""Which parser reads which media type, by import path: nothing of a parser is loaded until the child needs it."""

from collections.abc import Mapping

from ingestion.parsing.sniff import DOCX, HTML, MARKDOWN, PDF, TEXT

PARSERS: Mapping[str, str] = {
    PDF: "ingestion.parsing.pdf:PdfParser",
    DOCX: "ingestion.parsing.docx:DocxParser",
    HTML: "ingestion.parsing.html:HtmlParser",
    MARKDOWN: "ingestion.parsing.markdown:MarkdownParser",
    TEXT: "ingestion.parsing.text:TextParser",
}

# Their parsers give Markdown; it is cut at its headings in the parent, which has LlamaIndex loaded anyway.
MARKDOWN_GIVING = frozenset({DOCX, HTML, MARKDOWN})
