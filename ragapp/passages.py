"""Passages from SQL: the second check of access and existence, after the index's filter."""

from collections.abc import Mapping, Sequence

from django.db.models import Q

from ingestion.access import AccessScope
from ingestion.models import Chunk
from ingestion.selectors import chunks_visible_to
from ragapp.answering.base import Passage
from ragapp.connections import refresh_connection


class SqlPassageStore:
    """What the index found, as SQL knows it now."""

    def load(self, chunk_ids: Sequence[str], *, scope: AccessScope) -> Mapping[str, Passage]:
        """Those of the chunks that exist, are live and are in the scope, by id. One query."""
        refresh_connection()
        return {str(chunk.pk): _passage(chunk) for chunk in chunks_visible_to(scope).filter(pk__in=chunk_ids)}

    def following(self, chunk_ids: Sequence[str], *, scope: AccessScope) -> Mapping[str, Passage]:
        """The next passages of the same versions, by the id that they follow. Two queries."""
        refresh_connection()
        visible = chunks_visible_to(scope)
        places = {
            (document, version, ordinal + 1): str(key)
            for key, document, version, ordinal in visible.filter(pk__in=chunk_ids).values_list(
                "pk", "document_id", "version", "ordinal"
            )
        }
        if not places:
            return {}
        next_ones = Q()
        for document, version, ordinal in places:
            next_ones |= Q(document_id=document, version=version, ordinal=ordinal)
        return {
            places[chunk.document_id, chunk.version, chunk.ordinal]: _passage(chunk)
            for chunk in visible.filter(next_ones)
        }


def _passage(chunk: Chunk) -> Passage:
    return Passage(
        chunk_id=str(chunk.pk),
        document_id=str(chunk.document_id),
        collection_id=str(chunk.document.collection_id),
        title=chunk.document.title,
        text=chunk.text,
        label=chunk.document.effective_label,
        page=chunk.page,
        place=chunk.place,
        heading=chunk.heading,
        dated=chunk.document.dated,
    )
