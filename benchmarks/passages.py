"""How passages are cut and what stands before them when they are embedded: size, overlap, prefix; one table a folder.

    python -m benchmarks.passages FOLDER... [--sizes 120 160 200] [--overlaps 0 24]

The set goes through the product's own reading, cutting and index once for each size and overlap, and is asked by the
first stage alone. The whole prefix is the document's title and the heading, as the product has it.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

from benchmarks.sets import arguments, config_for, embedder_for, quiet, shown
from ingestion.embedding.base import Embedder
from ingestion.index.base import Attributes, IndexedChunk
from ingestion.pipeline import embedded_text
from ragapp.answering.base import Passage
from ragapp.evaluation import corpus, question_set
from ragapp.evaluation.corpus import ThrowAwayCorpus
from ragapp.evaluation.question_set import QuestionSet
from ragapp.evaluation.retrieval import ARMS, evaluate_over

# The first is as the texts are indexed to begin with.
PREFIXES = ("whole", "heading", "none")
COLUMNS = ("nDCG@10", "R@1", "R@5")


def main() -> None:
    """A table a folder."""
    parser = arguments(__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[120, 160, 200], help="tokens")
    parser.add_argument("--overlaps", type=int, nargs="+", default=[0, 24], help="tokens")
    given = parser.parse_args()
    embedder = embedder_for(given)
    for folder in given.folders:
        questions = question_set.load(folder, split=given.split)
        print(f"\n{questions.name}: {len(questions.judged)} questions\n")
        print("| tokens | overlap | prefix | passages | " + " | ".join(COLUMNS) + " |")
        print("|---|---|---|---|" + "---|" * len(COLUMNS))
        for tokens, overlap in product(given.sizes, given.overlaps):
            config = config_for(given, folder=folder).model_copy(
                update={"chunk_tokens": tokens, "chunk_overlap_tokens": overlap}
            )
            with corpus.opened(
                questions, config=config, embedder=embedder, whole_passages=False, progress=quiet
            ) as texts:
                measure(texts, questions, embedder=embedder, cut=f"| {tokens} | {overlap}")


def measure(texts: ThrowAwayCorpus, questions: QuestionSet, *, embedder: Embedder, cut: str) -> None:
    """The rows of one way to cut."""
    passages = list(texts.passages.values())
    for prefix in PREFIXES:
        if prefix != PREFIXES[0]:
            write(texts, [prefixed(each, prefix) for each in passages], embedder=embedder)
        report = evaluate_over(
            texts, questions, arms={"hybrid": ARMS["hybrid"]}, embedder=embedder, configuration={}, progress=quiet
        )
        cells = " | ".join(shown(report.arms[0].measures[name]) for name in COLUMNS)
        print(f"{cut} | {prefix} | {len(passages):,} | {cells} |", flush=True)


def prefixed(passage: Passage, prefix: str) -> Passage:
    """With what the prefix leaves of where it stands."""
    return replace(
        passage,
        title=passage.title if prefix == "whole" else "",
        heading=passage.heading if prefix != "none" else "",
    )


def write(texts: ThrowAwayCorpus, passages: Sequence[Passage], *, embedder: Embedder) -> None:
    """In the place of those of the same ids."""
    written = [embedded_text(each.title, each.heading, each.text) for each in passages]
    texts.index.upsert(
        [
            IndexedChunk(
                chunk_id=each.chunk_id,
                text=text,
                vector=vector,
                attributes=Attributes(each.document_id, version=1, collection_id=each.collection_id, label=each.label),
            )
            for each, text, vector in zip(passages, written, embedder.embed_documents(written), strict=True)
        ]
    )
    texts.passages.update({each.chunk_id: each for each in passages})


if __name__ == "__main__":
    main()
