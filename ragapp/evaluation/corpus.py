"""What is searched: a question set's texts in an index of their own, gone afterwards, or the live index in a scope."""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Protocol
from uuid import NAMESPACE_URL, uuid5

from ingestion.access import AccessScope
from ingestion.chunking import ChunkText, chunk, chunk_id
from ingestion.config import IngestionConfig
from ingestion.embedding.base import Embedder
from ingestion.errors import ParseError, UnsupportedTypeError
from ingestion.factory import catalog_for, identity_for
from ingestion.index.base import Attributes, ChunkIndex, IndexedChunk
from ingestion.parsing.base import Ocr, ParsedDocument, Section
from ingestion.pipeline import ReadDocument, embedded_text, read
from ragapp.answering.base import Passage
from ragapp.answering.retrieval import PassageStore
from ragapp.evaluation.errors import InvalidQuestionSetError
from ragapp.evaluation.question_set import QuestionSet

COLLECTION = "question-set"
SCOPE = AccessScope(collection_ids=frozenset({COLLECTION}))
_WINDOW = 256
# Passages whose ids are names of such files are read as such files are.
_READ_AS_FILES = (".md", ".html")

Progress = Callable[[str, int, int], None]


class Corpus(PassageStore, Protocol):
    """An index with the store behind it, searched within `scope`. `unread` are files that were not read, by code."""

    @property
    def index(self) -> ChunkIndex:
        """The index as it is now."""
        ...

    @property
    def scope(self) -> AccessScope:
        """Within this every search stays."""
        ...

    @property
    def documents(self) -> int:
        """How many there are to find."""
        ...

    @property
    def chunk_count(self) -> int:
        """How many passages they have."""
        ...

    @property
    def unread(self) -> Mapping[str, str]:
        """Files that could not be read, with the code."""
        ...


@dataclass(frozen=True)
class LiveCorpus:
    """The installation's own index. It may be switched to another generation while a run goes on."""

    opened: Callable[[], ChunkIndex]
    store: PassageStore
    scope: AccessScope
    documents: int
    chunk_count: int
    unread: Mapping[str, str] = field(default_factory=dict)

    @property
    def index(self) -> ChunkIndex:
        """The live generation."""
        return self.opened()

    def load(self, chunk_ids: Sequence[str], *, scope: AccessScope) -> Mapping[str, Passage]:
        """Those that exist and are in the scope."""
        return self.store.load(chunk_ids, scope=scope)

    def following(self, chunk_ids: Sequence[str], *, scope: AccessScope) -> Mapping[str, Passage]:
        """What comes next in the same document."""
        return self.store.following(chunk_ids, scope=scope)


def target_of(passage: Passage, *, wanted: Iterable[str]) -> str:
    """The id by which a question's qrels know the passage: its page, where they name pages, else its document."""
    keys = set(wanted)
    page = f"{passage.document_id}#page={passage.page}"
    if page in keys or (passage.document_id not in keys and any("#page=" in key for key in keys)):
        return page
    return passage.document_id


@dataclass
class ThrowAwayCorpus:
    """The store behind searches of `index`. `unread` are files that could not be read, with the code."""

    index: ChunkIndex
    passages: dict[str, Passage] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    documents: int = 0
    scope: AccessScope = SCOPE
    _next: dict[str, str] = field(default_factory=dict)

    @property
    def chunk_count(self) -> int:
        """How many passages there are."""
        return len(self.passages)

    def load(self, chunk_ids: Sequence[str], *, scope: AccessScope) -> Mapping[str, Passage]:
        """Those that are there; the one collection is everybody's here."""
        return {key: self.passages[key] for key in chunk_ids if key in self.passages}

    def following(self, chunk_ids: Sequence[str], *, scope: AccessScope) -> Mapping[str, Passage]:
        """What was cut from the same document next."""
        if not self._next:
            keys = list(self.passages)
            self._next.update(
                (key, after)
                for key, after in pairwise(keys)
                if self.passages[key].document_id == self.passages[after].document_id
            )
        return {key: self.passages[self._next[key]] for key in chunk_ids if key in self._next}


@contextmanager
def opened(
    questions: QuestionSet, *, config: IngestionConfig, embedder: Embedder, whole_passages: bool, progress: Progress
) -> Iterator[ThrowAwayCorpus]:
    """Read, cut, embed and index the set's texts in a temporary folder, with Qdrant Edge.

    `whole_passages` takes each line of corpus.jsonl as one passage, as published figures do.
    """
    with tempfile.TemporaryDirectory(prefix="ragapp-evaluation-") as name:
        folder = Path(name)
        catalog = catalog_for(config.model_copy(update={"index_dir": folder / "index", "qdrant_url": ""}))
        try:
            index = catalog.open(catalog.create(identity_for(embedder, language=config.search_language)))
            corpus = ThrowAwayCorpus(index=index)
            documents = _documents(
                questions, corpus, config=config, embedder=embedder, whole=whole_passages, folder=folder
            )
            _fill(corpus, documents, embedder=embedder, total=_count(questions), progress=progress)
            if not corpus.passages:
                raise InvalidQuestionSetError("no text was found in the set's corpus")
            yield corpus
        finally:
            catalog.close()


_Document = tuple[str, str, Sequence[ChunkText]]


def _count(questions: QuestionSet) -> int:
    return len(questions.files) or len(questions.passages)


def _documents(
    questions: QuestionSet,
    corpus: ThrowAwayCorpus,
    *,
    config: IngestionConfig,
    embedder: Embedder,
    whole: bool,
    folder: Path,
) -> Iterator[_Document]:
    """The set's id, title and passages of each document."""

    def as_file(key: str, path: Path) -> _Document:
        try:
            found = read(
                path, name=path.name, config=config, count_tokens=embedder.count_tokens, ocr=Ocr.AUTO,
                unpack_into=folder / "unpacked",
            )  # fmt: skip
        except ParseError as exc:
            corpus.unread[key] = exc.code
            return key, "", ()
        if not isinstance(found, ReadDocument):
            corpus.unread[key] = UnsupportedTypeError.code
            return key, "", ()
        return key, found.title, found.chunks

    for key, path in questions.files.items():
        yield as_file(key, path)
    for passage in questions.passages:
        if whole:
            yield passage.id, passage.title, (_whole(passage.text),)
        elif passage.id.endswith(_READ_AS_FILES):
            path = folder / Path(passage.id).name
            path.write_text(passage.text, encoding="utf-8")
            key, title, chunks = as_file(passage.id, path)
            yield key, passage.title or title, chunks
        else:
            parsed = ParsedDocument(sections=(Section(text=passage.text),))
            cut = chunk(
                parsed, tokens=config.chunk_tokens, overlap=config.chunk_overlap_tokens,
                count_tokens=embedder.count_tokens,
            )  # fmt: skip
            yield passage.id, passage.title, cut


def _whole(text: str) -> ChunkText:
    return ChunkText(ordinal=0, text=text, page=None, heading="", start=0, end=len(text))


def _fill(
    corpus: ThrowAwayCorpus, documents: Iterable[_Document], *, embedder: Embedder, total: int, progress: Progress
) -> None:
    waiting: list[tuple[Passage, str]] = []
    for done, (key, title, chunks) in enumerate(documents, start=1):
        corpus.documents += bool(chunks)
        for each in chunks:
            passage = Passage(
                # The index takes UUIDs alone.
                chunk_id=chunk_id(str(uuid5(NAMESPACE_URL, key)), 1, each.ordinal),
                document_id=key,
                collection_id=COLLECTION,
                title=title,
                text=each.text,
                label=0,
                page=each.page,
                place=each.place,
                heading=each.heading,
            )
            waiting.append((passage, embedded_text(title, each.heading, each.text)))
        if len(waiting) >= _WINDOW or done == total:
            _index(corpus, waiting, embedder=embedder)
            waiting = []
        progress("indexing", done, total)


def _index(corpus: ThrowAwayCorpus, waiting: Sequence[tuple[Passage, str]], *, embedder: Embedder) -> None:
    vectors = embedder.embed_documents([text for _, text in waiting])
    corpus.index.upsert(
        [
            IndexedChunk(
                chunk_id=passage.chunk_id,
                text=text,
                vector=vector,
                attributes=Attributes(
                    document_id=passage.document_id, version=1, collection_id=COLLECTION, label=passage.label
                ),
            )
            for (passage, text), vector in zip(waiting, vectors, strict=True)
        ]
    )
    corpus.passages.update({passage.chunk_id: passage for passage, _ in waiting})
