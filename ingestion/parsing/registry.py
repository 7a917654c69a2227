"""Which parser reads which media type, by import path: nothing of a parser is loaded until the child needs it.

A ZIP archive is no document: what is in it is unpacked, and each file is a document of its own.
"""

import importlib
from collections.abc import Mapping
from typing import Any

from ingestion.parsing import media_types as types

PARSERS: Mapping[str, str] = {
    types.PDF: "ingestion.parsing.pdf:PdfParser",
    types.DOCX: "ingestion.parsing.docx:DocxParser",
    types.PPTX: "ingestion.parsing.pptx:PptxParser",
    types.XLSX: "ingestion.parsing.xlsx:XlsxParser",
    types.ODT: "ingestion.parsing.odt:OdtParser",
    types.EPUB: "ingestion.parsing.epub:EpubParser",
    types.RTF: "ingestion.parsing.rtf:RtfParser",
    types.CSV: "ingestion.parsing.delimited:DelimitedParser",
    types.JSON: "ingestion.parsing.json_records:JsonParser",
    types.HTML: "ingestion.parsing.html:HtmlParser",
    types.MARKDOWN: "ingestion.parsing.markdown:MarkdownParser",
    types.TEXT: "ingestion.parsing.text:TextParser",
    types.EML: "ingestion.parsing.mail:EmlParser",
    types.MSG: "ingestion.parsing.outlook:MsgParser",
    **dict.fromkeys(sorted(types.IMAGES), "ingestion.parsing.image:ImageParser"),
}


def loaded(target: str) -> Any:
    """What 'module:name' names."""
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)
