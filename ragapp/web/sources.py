"""A citation's passage in its context."""

from dataclasses import dataclass
from uuid import UUID

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils.safestring import SafeString
from django.views.decorators.http import require_GET

from ingestion.models import Chunk
from ingestion.parsing.media_types import PDF
from ingestion.selectors import chunk_get, chunks_around, version_get
from ragapp.web.access import is_fragment, not_found_as_404, scope_of, signed_in
from ragapp.web.markdown import heading_path
from ragapp.web.passages import html_of, picture_of, where_of


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
        version = version_get(chunk.document, chunk.version)
    context = {
        "chunk": chunk,
        "document": chunk.document,
        "version": version,
        "is_replaced": chunk.version != chunk.document.live_version,
        "picture": picture_of(version, page=chunk.page, chunks=[chunk]),
        "where": where_of(chunk),
        "collection": chunk.document.collection,
        "passages": _shown(chunk, media_type=version.media_type),
        "heading": heading_path(chunk.heading),
        "is_pdf": version.media_type == PDF,
    }
    return render(request, "sources/_passage.html" if is_fragment(request) else "sources/page.html", context)


def _shown(cited: Chunk, *, media_type: str) -> list[ShownPassage]:
    shown, cited_text = [], (cited.start, cited.end)
    for chunk in chunks_around(cited):
        text = _without_overlap(chunk, cited_text) if chunk.pk != cited.pk else chunk.text
        if not text.strip():
            continue
        shown.append(
            ShownPassage(
                text=text.strip(),
                html=html_of(chunk, text, media_type=media_type),
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
