"""What was chosen in retrieval, each beside what was not: how scores are fused, and what the second stage does.

    python -m benchmarks.choices FOLDER... [--split dev] [--whole-passages]

A set is indexed once and asked once for each row, by the product's own index and ranking. Support is what a document's
other good passages give; late interaction compares the best twelve with the question token by token, and leaves
follow-ups as they are. The last column is the difference in nDCG@10 to the row of the first stage as chosen.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from benchmarks.sets import arguments, config_for, embedder_for, quiet, shown
from ingestion.embedding.base import Vector
from ingestion.embedding.sentence_transformer import SentenceTransformerEmbedder
from ingestion.index.base import DENSE_WEIGHT, Hit, IndexQuery
from ragapp.answering import ranking
from ragapp.answering.retrieval import query_vector
from ragapp.evaluation import corpus, measures, question_set
from ragapp.evaluation.corpus import ThrowAwayCorpus
from ragapp.evaluation.question_set import Question, QuestionSet
from ragapp.evaluation.retrieval import DEPTH

OTHER_WEIGHTS = (0.5, 0.6, 0.7, 0.8, 0.9)
# Of Cormack, Clarke, Büttcher: 'Reciprocal rank fusion outperforms Condorcet', SIGIR 2009.
RANK_CONSTANT = 60
# As `evaluate retrieval` asks for a ranking of DEPTH targets.
PASSAGES = 3 * DEPTH
HITS = 3 * PASSAGES
COLUMNS = ("nDCG@10", "R@1", "R@5")


@dataclass(frozen=True)
class Choice:
    """A way to rank: scores fused by the cosine's share or, without one, ranks; then the steps of the second stage."""

    dense_weight: float | None = DENSE_WEIGHT
    support: bool = False
    late_interaction: bool = False

    @property
    def name(self) -> str:
        """The row's."""
        fused = f"ranks, k = {RANK_CONSTANT}" if self.dense_weight is None else f"{self.dense_weight:g} of the cosine"
        steps = (("support", self.support), ("late interaction", self.late_interaction))
        return " + ".join([fused, *(step for step, taken in steps if taken)])


CHOSEN = Choice()
CHOICES = (
    CHOSEN,
    *(Choice(weight) for weight in OTHER_WEIGHTS),
    Choice(dense_weight=None),
    Choice(support=True),
    Choice(late_interaction=True),
    Choice(support=True, late_interaction=True),
)
# The measures of each question, by its id.
Judged = Mapping[str, Mapping[str, float]]


def main() -> None:
    """A table a folder."""
    parser = arguments(__doc__)
    parser.add_argument("--whole-passages", action="store_true", help="do not cut passages")
    given = parser.parse_args()
    embedder = embedder_for(given)
    for folder in given.folders:
        questions = question_set.load(folder, split=given.split)
        config = config_for(given, folder=folder)
        with corpus.opened(
            questions, config=config, embedder=embedder, whole_passages=given.whole_passages, progress=quiet
        ) as texts:
            print(f"\n{questions.name}: {len(questions.judged)} questions, {texts.chunk_count:,} passages\n")
            report(measure(texts, questions, embedder=embedder))


def measure(
    texts: ThrowAwayCorpus, questions: QuestionSet, *, embedder: SentenceTransformerEmbedder
) -> Iterator[tuple[Choice, Judged]]:
    """Every question of every choice, the chosen first stage before all others."""
    asked = questions.judged
    vectors = [query_vector(each.text, earlier=each.earlier, embedder=embedder) for each in asked]
    for choice in CHOICES:
        order = {
            each.id: ranked(choice, each, vector=vector, texts=texts, embedder=embedder, questions=questions)
            for each, vector in zip(asked, vectors, strict=True)
        }
        run = {key: {target: 1.0 / rank for rank, target in enumerate(targets, 1)} for key, targets in order.items()}
        yield choice, measures.judged(run, {key: questions.relevant[key] for key in order})


def ranked(
    choice: Choice,
    question: Question,
    *,
    vector: Vector,
    texts: ThrowAwayCorpus,
    embedder: SentenceTransformerEmbedder,
    questions: QuestionSet,
) -> list[str]:
    """The best targets, best first."""

    def search(dense_weight: float) -> list[Hit]:
        query = IndexQuery(question.text, vector, earlier=question.earlier, dense_weight=dense_weight)
        return texts.index.search(query, scope=texts.scope, limit=HITS)

    hits = search(choice.dense_weight) if choice.dense_weight is not None else by_ranks(search(1.0), search(0.0))
    if choice.support:
        hits = ranking.supported(hits)
    passages = [replace(texts.passages[hit.chunk_id], score=hit.score) for hit in hits]
    if choice.late_interaction and not question.earlier:
        passages = ranking.read_again(question.text, passages, scorer=embedder)
    wanted = questions.relevant[question.id]
    return list(dict.fromkeys(corpus.target_of(each, wanted=wanted) for each in passages[:PASSAGES]))[:DEPTH]


def by_ranks(dense: Sequence[Hit], sparse: Sequence[Hit]) -> list[Hit]:
    """Reciprocal rank fusion of both arms' own rankings."""
    hits = {hit.chunk_id: replace(hit, score=0.0) for hit in (*dense, *sparse)}
    for arm in (dense, [hit for hit in sparse if hit.sparse]):
        for rank, hit in enumerate(arm, 1):
            known = hits[hit.chunk_id]
            hits[hit.chunk_id] = replace(known, score=known.score + 1 / (RANK_CONSTANT + rank))
    return sorted(hits.values(), key=lambda hit: (-hit.score, hit.chunk_id))


def report(found: Iterable[tuple[Choice, Judged]]) -> None:
    """Print one set's table, each row as soon as it is measured."""
    print("| ranking | " + " | ".join(COLUMNS) + " | difference |\n|---|" + "---|" * (len(COLUMNS) + 1))
    theirs: list[float] = []
    for choice, judged in found:
        ours = [each[measures.HEADLINE] for each in judged.values()]
        theirs = theirs or ours
        difference = (math.fsum(ours) - math.fsum(theirs)) / len(ours)
        against = f"{difference:+.3f}, p = {measures.p_value(ours, theirs):.4f}" if choice != CHOSEN else ""
        cells = [shown(measures.estimate([each[name] for each in judged.values()])) for name in COLUMNS]
        print(f"| {choice.name} | " + " | ".join(cells) + f" | {against} |", flush=True)


if __name__ == "__main__":
    main()
