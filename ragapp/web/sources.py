"""A citation's passage in its context."""

from dataclasses import dataclass
from uuid import UUID

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils.safestring import SafeString
from django.views.decorators.http import require_GET

from ingestion.models import Chunk
from ingestion.selectors import chunk_get, chunks_around
from ragapp.web.access import is_fragment, not_found_as_404, scope_of, signed_in
from ragapp.web.markdown import heading_path, render_passage

PDF = "application/pdf"
# PDFium and plain text give lines as they stand in the file; in the other formats the parser gives Markdown.
_PLAIN = {PDF, "text/plain"}


@dataclass(frozen=True)
class ShownPassage:
    """A passage on the page. `html` is None where `text` is shown as it is."""

    text: str
    html: SafeString | None
    is_cited: bool


@require_GET
@signed_in
def passage(request: HttpRequest, chunk_id: UUID) -> HttpResponseBase:
    """The cited passage between its neighbours: a page, or the content of the side panel."""
    with not_found_as_404():
        chunk = chunk_get(chunk_id, scope=scope_of(request))
    context = {
        "chunk": chunk,
        "document": chunk.document,
        "collection": chunk.document.collection,
        "passages": _shown(chunk),
        "heading": heading_path(chunk.heading),
        "is_pdf": chunk.document.media_type == PDF,
    }
    return render(request, "sources/_passage.html" if is_fragment(request) else "sources/page.html", context)


def _shown(cited: Chunk) -> list[ShownPassage]:
    plain = cited.document.media_type in _PLAIN
    shown, cited_text = [], (cited.start, cited.end)
    for chunk in chunks_around(cited):
        text = _without_overlap(chunk, cited_text) if chunk.pk != cited.pk else chunk.text
        if not text.strip():
            continue
        shown.append(
            ShownPassage(
                text=text.strip(),
                html=None if plain else render_passage(text),
                is_cited=chunk.pk == cited.pk,
            )
        )
    return shown


def _without_overlap(neighbour: Chunk, cited: tuple[int, int]) -> str:
    """A neighbour without what it shares with the cited passage, where its offsets are those of its text."""
    start, end = cited
    if neighbour.end - neighbour.start != len(neighbour.text):
        return neighbour.text
    if neighbour.start < start < neighbour.end:
        return neighbour.text[: start - neighbour.start]
    if neighbour.start < end < neighbour.end:
        return neighbour.text[end - neighbour.start :]
    return neighbour.text
