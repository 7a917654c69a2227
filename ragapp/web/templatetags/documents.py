"""Words for what documents are: formats, languages, steps."""

from django import template
from django.utils.translation import get_language_info

from ingestion.parsing.media_types import FORMAT_NAMES, PPTX, XLSX

register = template.Library()

STEPS = {
    "queued": "Waiting",
    "parsing": "Reading the file",
    "chunking": "Finding passages",
    "embedding": "Learning their meaning",
    "indexing": "Filing them",
    "ready": "Ready",
    "failed": "Failed",
}

# What a document's pages are, where they are no pages.
_PAGE_WORDS = {PPTX: "slide", XLSX: "sheet"}


@register.filter
def pages_in_words(pages: int, media_type: str) -> str:
    """'1 page', '12 slides', '3 sheets'."""
    return f"{pages} {_PAGE_WORDS.get(media_type, 'page')}" + ("" if pages == 1 else "s")


@register.filter
def format_name(media_type: str) -> str:
    """'PDF', 'Word'; '' before it is known."""
    return FORMAT_NAMES.get(media_type, media_type)


@register.filter
def language_name(code: str) -> str:
    """'German' for 'de'; the code itself where Django knows no name."""
    try:
        return str(get_language_info(code)["name"]) if code else ""
    except KeyError:
        return code


@register.filter
def step_name(step: str) -> str:
    """What is being done, as a person says it."""
    return STEPS.get(step, step)
