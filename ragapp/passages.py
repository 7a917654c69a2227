"""Passages from SQL: the second check of access and existence, after the index's filter."""

from collections.abc import Mapping, Sequence

from ingestion.access import AccessScope
from ingestion.selectors import chunks_visible_to
from ragapp.answering.base import Passage
from ragapp.connections import refresh_connection


class SqlPassageStore:
    """What the index found, as SQL knows it now."""

    def load(self, chunk_ids: Sequence[str], *, scope: AccessScope) -> Mapping[str, Passage]:
        """Those of the chunks that exist, are live and are in the scope, by id. One query."""
        refresh_connection()
        return {
            str(chunk.pk): Passage(
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
            for chunk in chunks_visible_to(scope).filter(pk__in=chunk_ids)
        }
