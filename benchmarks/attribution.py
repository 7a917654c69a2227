"""How well an answer's sentence is told to be supported: gold answers against their own passages and against others'.

    python -m benchmarks.attribution FOLDER...

Each sentence of a set's gold answers is scored on the passages of its question's right targets, and on those of another
question that has none of them in common. Passages are read, cut and scored by the product. Balanced accuracy is that of
the score's best threshold; kept is what the product's own threshold leaves, and what is cited also has the sentence's
numbers. Intervals are over sentences.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.sets import arguments, config_for, embedder_for, quiet, shown
from ingestion.embedding.base import Embedder
from ragapp.answering.base import Passage
from ragapp.answering.citing import is_statement
from ragapp.answering.sentences import sentences_of
from ragapp.answering.support import WORDS_SHARE, Support
from ragapp.evaluation import corpus, measures, question_set
from ragapp.evaluation.corpus import ThrowAwayCorpus
from ragapp.evaluation.question_set import Question, QuestionSet

SEED = 7


@dataclass(frozen=True)
class Scored:
    """A sentence's best score on some passages, by each way, and what the product does with it."""

    words: float
    cosine: float
    both: float
    kept: bool
    cited: bool


SCORES: Mapping[str, Callable[[Scored], float]] = {
    "words alone": lambda scored: scored.words,
    "cosine alone": lambda scored: scored.cosine,
    "the product's": lambda scored: scored.both,
}


def main() -> None:
    """Two tables a folder."""
    given = arguments(__doc__).parse_args()
    embedder = embedder_for(given)
    for folder in given.folders:
        questions = question_set.load(folder, split=given.split)
        config = config_for(given, folder=folder)
        with corpus.opened(questions, config=config, embedder=embedder, whole_passages=False, progress=quiet) as texts:
            report(questions.name, *measure(texts, questions, embedder=embedder))


def measure(texts: ThrowAwayCorpus, questions: QuestionSet, *, embedder: Embedder) -> tuple[list[Scored], list[Scored]]:
    """Every sentence, on its own passages and on another question's."""
    asked = [each for each in questions.judged if each.answers]
    source = random.Random(SEED)  # noqa: S311 - the same others at every run, and no secret
    right = {each.id: right_passages(each, texts=texts, questions=questions) for each in asked}
    own: list[Scored] = []
    others: list[Scored] = []
    for question in asked:
        mine = targets(question, questions=questions)
        other = source.choice([each for each in asked if mine.isdisjoint(targets(each, questions=questions))])
        sentences = [said for answer in question.answers for said, _ in sentences_of(answer) if is_statement(said)]
        own += scored(sentences, right[question.id], question=question.text, embedder=embedder)
        others += scored(sentences, right[other.id], question=question.text, embedder=embedder)
    return own, others


def targets(question: Question, *, questions: QuestionSet) -> set[str]:
    """The right ones."""
    return {target for target, grade in questions.relevant[question.id].items() if grade > 0}


def right_passages(question: Question, *, texts: ThrowAwayCorpus, questions: QuestionSet) -> list[Passage]:
    """Those cut from the right targets."""
    wanted = targets(question, questions=questions)
    return [each for each in texts.passages.values() if corpus.target_of(each, wanted=wanted) in wanted]


def scored(sentences: Sequence[str], passages: Sequence[Passage], *, question: str, embedder: Embedder) -> list[Scored]:
    """Each sentence on the passage that suits it best."""
    product = Support(passages, question=question, embedder=embedder)
    by_words = Support(passages, question=question, embedder=None)
    found = []
    for sentence in sentences:
        both, shares = product.scores(sentence), by_words.scores(sentence)
        cosines = [(each - WORDS_SHARE * share) / (1 - WORDS_SHARE) for each, share in zip(both, shares, strict=True)]
        found.append(
            Scored(
                words=max(shares, default=0.0),
                cosine=max(cosines, default=0.0),
                both=max(both, default=0.0),
                kept=max(both, default=0.0) >= product.threshold,
                cited=bool(product.supporters(sentence)),
            )
        )
    return found


def balanced_accuracy(own: Sequence[float], others: Sequence[float]) -> float:
    """The mean of both shares that are told rightly, at the threshold at which it is highest."""

    def at(threshold: float) -> float:
        kept, refused = sum(score >= threshold for score in own), sum(score < threshold for score in others)
        return (kept / len(own) + refused / len(others)) / 2

    return max(map(at, {*own, *others}))


def report(name: str, own: Sequence[Scored], others: Sequence[Scored]) -> None:
    """Print one set's tables."""
    print(f"\n{name}: {len(own)} sentences\n")
    print("| score | AUC | balanced accuracy |\n|---|---|---|")
    for score, of in SCORES.items():
        ours, theirs = [of(each) for each in own], [of(each) for each in others]
        print(f"| {score} | {shown(measures.auc(ours, theirs))} | {balanced_accuracy(ours, theirs):.3f} |")
    print("\n| passages | above the threshold | and cited |\n|---|---|---|")
    for whose, scores in (("its own", own), ("another question's", others)):
        kept = measures.estimate([float(each.kept) for each in scores])
        cited = measures.estimate([float(each.cited) for each in scores])
        print(f"| {whose} | {shown(kept)} | {shown(cited)} |", flush=True)


if __name__ == "__main__":
    main()
