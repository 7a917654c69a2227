"""SQL's truth into an index: where the two differ, and how they become equal. Knows no engine and no generation.

Both sides are walked in the order of the chunks' ids, a window at a time, so that memory does not grow with the
corpus. Workers go on meanwhile; what a window decides is checked again before a point goes and after one is written.

| chunk of | in the index it is |
|---|---|
| the live version of a document that is not being deleted | expected: the truth |
| the latest version while that is being read | coming: may be there, and is left alone |
| any other version, or of no row | stale: goes |
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, QuerySet

from ingestion.embedding.base import Embedder, Vector
from ingestion.errors import IndexMismatchError
from ingestion.index.base import Attributes, ChunkIndex, IndexedChunk, IndexedPoint
from ingestion.index.payload import payload_of
from ingestion.models import Chunk, ChunkEmbedding, Document, DocumentState
from ingestion.pipeline import embedded_text
from ingestion.publishing import attributes_of, packed, unpacked

_WINDOW = 512
_EMBED_BATCH = 32
# So many are named of each kind; beyond that the counts alone go on.
_MOST_NAMED = 10_000

OnProgress = Callable[[int, int], None]
ShouldStop = Callable[[], bool]


@dataclass(frozen=True)
class Place:
    """A chunk, as SQL or the index has it. `fields` are the attributes that differ."""

    chunk_id: str
    document_id: str
    version: int
    fields: tuple[str, ...] = ()


@dataclass
class Places:
    """All of one kind: how many, and the first of them by name."""

    count: int = 0
    named: dict[str, Place] = field(default_factory=dict)

    def add(self, place: Place) -> None:
        """Count it, and name it while there is room."""
        self.count += 1
        if len(self.named) < _MOST_NAMED:
            self.named[place.chunk_id] = place


@dataclass(frozen=True)
class Differences:
    """`missing`: no point for a live chunk. `orphans`: a point without a row. `outdated`: a point of a version that
    is not live. `wrong`: the point's attributes are not the document's."""

    missing: Places = field(default_factory=Places)
    orphans: Places = field(default_factory=Places)
    outdated: Places = field(default_factory=Places)
    wrong: Places = field(default_factory=Places)

    @property
    def count(self) -> int:
        """Of all kinds; 0 where the index is equal to SQL."""
        return self.missing.count + self.orphans.count + self.outdated.count + self.wrong.count


@dataclass(frozen=True)
class Projected:
    """Points written and deleted, documents whose attributes were set. `stopped` before the end."""

    written: int = 0
    deleted: int = 0
    updated: int = 0
    stopped: bool = False

    @property
    def changes(self) -> int:
        """0 where the index was equal already."""
        return self.written + self.deleted + self.updated


@dataclass(frozen=True)
class _Window:
    """All chunks and points of a range of ids: (document, version) of each live chunk, and each point."""

    truth: Mapping[str, tuple[str, int]]
    points: Mapping[str, IndexedPoint]
    attributes: Mapping[str, Attributes]

    def missing(self) -> list[str]:
        """Live chunks without a point, and those whose point names another document or version."""
        return [
            key
            for key, belongs in self.truth.items()
            if key not in self.points or _belonging(self.points[key].attributes) != belongs
        ]

    def surplus(self) -> list[str]:
        return [key for key in self.points if key not in self.truth]

    def wrong(self) -> Iterator[Place]:
        for key, (document_id, version) in self.truth.items():
            point, ours = self.points.get(key), self.attributes.get(document_id)
            if point is not None and ours is not None and (fields := _differing(point.attributes, ours)):
                yield Place(key, document_id, version, fields)


def live_chunks() -> QuerySet[Chunk]:
    """The truth: what a search may find."""
    return Chunk.objects.filter(version=F("document__live_version")).exclude(document__state=DocumentState.DELETING)


def differences(index: ChunkIndex, *, on_progress: OnProgress = lambda done, total: None) -> Differences:
    """Where the index is not what SQL says. What a second look does not confirm was a change under way."""
    first = _differences(index, on_progress=on_progress)
    if not first.count:
        return first
    second = _differences(index, on_progress=on_progress)
    return Differences(
        missing=_confirmed(first.missing, second.missing),
        orphans=_confirmed(first.orphans, second.orphans),
        outdated=_confirmed(first.outdated, second.outdated),
        wrong=_confirmed(first.wrong, second.wrong),
    )


def project(
    index: ChunkIndex,
    embedder: Embedder,
    *,
    on_progress: OnProgress = lambda done, total: None,
    should_stop: ShouldStop = lambda: False,
) -> Projected:
    """Make the index equal to SQL; what is equal already is not touched, so that it goes on where it was stopped.

    `on_progress` hears passages done and passages in all, at least once a batch of embeddings. Vectors that are not
    kept yet are made and kept. Raises IndexMismatchError where the embedder is not the index's,
    EmbedderUnavailableError and IndexUnavailableError; a second call goes on.
    """
    if index.identity.embedding_model != embedder.name:
        raise IndexMismatchError(f"the index is of {index.identity.embedding_model}, the embedder is {embedder.name}")
    run = _Projection(index=index, embedder=embedder, on_progress=on_progress, total=live_chunks().count())
    for window in _windows(index):
        if should_stop():
            return run.outcome(stopped=True)
        run.bring_in(window)
    return run.outcome(stopped=False)


def rewrite_document(index: ChunkIndex, embedder: Embedder, *, document_id: UUID) -> int:
    """Write all points of a document's live version, also those that are there; how many. Raises as `project`."""
    keys = [str(key) for key in live_chunks().filter(document=document_id).values_list("pk", flat=True)]
    run = _Projection(index, embedder, on_progress=lambda done, total: None, total=len(keys))
    for start in range(0, len(keys), _WINDOW):
        run.write(keys[start : start + _WINDOW])
    return run.written


@dataclass
class _Projection:
    """One walk through the index."""

    index: ChunkIndex
    embedder: Embedder
    on_progress: OnProgress
    total: int
    done: int = 0
    written: int = 0
    deleted: int = 0
    mended: set[str] = field(default_factory=set)

    def outcome(self, *, stopped: bool) -> Projected:
        return Projected(self.written, self.deleted, updated=len(self.mended), stopped=stopped)

    def bring_in(self, window: _Window) -> None:
        missing = window.missing()
        rewritten = set(missing)
        for place in window.wrong():
            # Points of one document are all over the ids: its first one mends them all.
            if place.chunk_id not in rewritten and place.document_id not in self.mended:
                self.index.set_attributes(window.attributes[place.document_id])
                self.mended.add(place.document_id)
        self._delete(window.surplus())
        self.done += len(window.truth) - len(missing)
        self.write(missing)
        self.on_progress(self.done, self.total)

    def _delete(self, keys: Sequence[str]) -> None:
        gone = _stale(keys) if keys else []
        if gone:
            self.index.delete_points(gone)
            self.deleted += len(gone)

    def write(self, keys: Sequence[str]) -> None:
        chunks = list(
            live_chunks().filter(pk__in=keys).select_related("document", "document__collection") if keys else ()
        )
        if not chunks:
            return
        vectors = self._vectors(chunks)
        points = [_point(chunk, vector=vectors[chunk.pk]) for chunk in chunks if chunk.pk in vectors]
        self.index.upsert(points)
        self.written += len(points)
        self._check_again(points)

    def _vectors(self, chunks: Sequence[Chunk]) -> dict[UUID, Vector]:
        kept = ChunkEmbedding.objects.filter(chunk__in=chunks, model=self.embedder.name)
        found = {row.chunk_id: unpacked(bytes(row.vector)) for row in kept.iterator()}
        right = self.index.identity.dimension
        vectors = {key: vector for key, vector in found.items() if len(vector) == right}
        lacking = [chunk for chunk in chunks if chunk.pk not in vectors]
        self.done += len(vectors)
        for start in range(0, len(lacking), _EMBED_BATCH):
            batch = lacking[start : start + _EMBED_BATCH]
            made = dict(
                zip(
                    (chunk.pk for chunk in batch),
                    self.embedder.embed_documents([_search_text(chunk) for chunk in batch]),
                    strict=True,
                )
            )
            keep_vectors(made, model=self.embedder.name)
            vectors |= made
            self.done += len(batch)
            self.on_progress(self.done, self.total)
        return vectors

    def _check_again(self, points: Sequence[IndexedChunk]) -> None:
        """A document may have been deleted, replaced or relabelled between our reading and our writing."""
        self._delete([point.chunk_id for point in points])
        wrote = {point.attributes.document_id: point.attributes for point in points}
        for document_id, now in _attributes(wrote).items():
            if now != wrote[document_id] and now.version == wrote[document_id].version:
                self.index.set_attributes(now)


def keep_vectors(vectors: Mapping[UUID, Vector], *, model: str) -> None:
    """Store them by chunk id, replacing; those of chunks that went meanwhile are dropped."""
    with transaction.atomic():
        rows = Chunk.objects.select_for_update(no_key=True).filter(pk__in=vectors)
        ChunkEmbedding.objects.bulk_create(
            [
                ChunkEmbedding(chunk_id=key, model=model, vector=packed(vectors[key]))
                for key in rows.values_list("pk", flat=True)
            ],
            update_conflicts=True,
            unique_fields=["chunk", "model"],
            update_fields=["vector"],
        )


def _differences(index: ChunkIndex, *, on_progress: OnProgress) -> Differences:
    found, done, total = Differences(), 0, live_chunks().count()
    for window in _windows(index):
        for key in window.missing():
            if key not in window.points:
                found.missing.add(Place(key, *window.truth[key]))
        for place in window.wrong():
            found.wrong.add(place)
        _sort_surplus(window, found)
        done += len(window.truth)
        on_progress(done, total)
    return found


def _sort_surplus(window: _Window, found: Differences) -> None:
    surplus = window.surplus()
    if not surplus:
        return
    stale = set(_stale(surplus))
    rows = {str(key) for key in Chunk.objects.filter(pk__in=stale).values_list("pk", flat=True)}
    for key in stale:
        kind = found.outdated if key in rows else found.orphans
        kind.add(Place(key, *_belonging(window.points[key].attributes)))


def _confirmed(first: Places, second: Places) -> Places:
    named = {key: place for key, place in second.named.items() if key in first.named}
    # Where the names ran out, the counts are all there is.
    beyond = second.count - len(second.named)
    return Places(count=len(named) + beyond, named=named)


def _windows(index: ChunkIndex) -> Iterator[_Window]:
    """All ids that SQL or the index has, in their order. A window has at most `_WINDOW` of each."""
    points, held = index.points(), list[IndexedPoint]()
    lowest: str | None = None
    while True:
        held += islice(points, _WINDOW - len(held))
        rows = _rows_after(lowest)
        ends = [
            part[-1] for part in ([point.chunk_id for point in held], [row[0] for row in rows]) if len(part) == _WINDOW
        ]
        highest = min(ends, default=None)
        truth = {key: (document, version) for key, document, version in rows if highest is None or key <= highest}
        within = [point for point in held if highest is None or point.chunk_id <= highest]
        held = held[len(within) :]
        if truth or within:
            documents = {document for document, _ in truth.values()}
            yield _Window(truth, {point.chunk_id: point for point in within}, _attributes(documents))
        if highest is None:
            return
        lowest = highest


def _rows_after(lowest: str | None) -> list[tuple[str, str, int]]:
    rows = live_chunks().order_by("pk")
    if lowest is not None:
        rows = rows.filter(pk__gt=lowest)
    return [
        (str(key), str(document), version)
        for key, document, version in rows.values_list("pk", "document_id", "version")[:_WINDOW]
    ]


def _stale(keys: Collection[str]) -> list[str]:
    """Those that are neither live nor coming, as SQL says now."""
    reading = Q(version=F("document__version"), document__state__in=[DocumentState.QUEUED, DocumentState.PROCESSING])
    live = Q(version=F("document__live_version")) & ~Q(document__state=DocumentState.DELETING)
    wanted = {str(key) for key in Chunk.objects.filter(live | reading, pk__in=keys).values_list("pk", flat=True)}
    return [key for key in keys if key not in wanted]


def _attributes(document_ids: Collection[str]) -> dict[str, Attributes]:
    documents = Document.objects.filter(pk__in=document_ids).select_related("collection")
    return {str(document.pk): attributes_of(document) for document in documents}


def _belonging(attributes: Attributes) -> tuple[str, int]:
    return attributes.document_id, attributes.version


def _differing(theirs: Attributes, ours: Attributes) -> tuple[str, ...]:
    """Compared as they are written down: a date has whole seconds there."""
    written, wanted = payload_of(theirs), payload_of(ours)
    return tuple(sorted(name for name, value in wanted.items() if written.get(name) != value))


def _point(chunk: Chunk, *, vector: Vector) -> IndexedChunk:
    return IndexedChunk(
        chunk_id=str(chunk.pk),
        text=_search_text(chunk),
        vector=vector,
        attributes=attributes_of(chunk.document),
    )


def _search_text(chunk: Chunk) -> str:
    return embedded_text(chunk.document.title or chunk.document.name, chunk.heading, chunk.text)
