"""`evaluate retrieval`, `answers`, `refusals`: measure, keep, print. `evaluate routing`: measure, print."""

import argparse
import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from tqdm import tqdm

from ingestion import engine
from ragapp import embedded, wiring
from ragapp.answering.answerer import Answerer
from ragapp.evaluation import answers, corpus, live, question_set, refusals, retrieval, routing
from ragapp.evaluation.answers import AnswersReport, Prices
from ragapp.evaluation.corpus import Corpus, Progress
from ragapp.evaluation.follow_ups import FollowUps
from ragapp.evaluation.judging import Judge
from ragapp.evaluation.question_set import QuestionSet
from ragapp.evaluation.refusals import RefusalsReport
from ragapp.evaluation.retrieval import ARMS, Arm, RetrievalReport
from ragapp.evaluation.services import run_store
from ragapp.gateway.base import ChatModel
from ragapp.management.evaluating import tables
from ragapp.management.evaluating.stored import printed
from ragapp.management.evaluating.subcommand import Options, Subcommand, add_json_argument, positive
from ragapp.management.people import acting_user, add_user_argument

_OF_A_FOLDER = ("split", "limit", "whole_passages")


def _add_set_arguments(parser: CommandParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", nargs="?")
    parser.add_argument("--split", default="", help="questions of this split alone")
    parser.add_argument("--limit", type=positive, help="the first N questions alone")
    add_json_argument(parser)


def _add_cases_arguments(parser: CommandParser) -> None:
    parser.add_argument("--cases", default="", metavar="SET", help="stored cases instead, on the live index")
    add_user_argument(parser)


def _add_model_argument(parser: CommandParser) -> None:
    parser.add_argument("--model", default="", help="another model inside the perimeter than the configured one")


def _add_retrieval_arguments(parser: CommandParser) -> None:
    _add_set_arguments(parser)
    _add_cases_arguments(parser)
    parser.add_argument("--arms", type=_arms, default=ARMS, help=f"some of {','.join(ARMS)}; all when left out")
    parser.add_argument(
        "--whole-passages", action="store_true", help="do not cut passages, as published figures do not"
    )
    parser.add_argument(
        "--follow-ups", type=FollowUps, choices=list(FollowUps), default=FollowUps.LEANING,
        help="ask by the last turn alone, leaning on the question before, or rewritten by the model",
    )  # fmt: skip


def _add_answers_arguments(parser: CommandParser) -> None:
    _add_set_arguments(parser)
    _add_cases_arguments(parser)
    _add_model_argument(parser)
    parser.add_argument("--judge", action="store_true", help="the configured model marks the answers, too")
    parser.add_argument(
        "--prices", type=float, nargs=2, default=(0.0, 0.0), metavar=("READ", "WRITTEN"),
        help="what a million tokens cost, to have the run's cost",
    )  # fmt: skip


def _add_refusals_arguments(parser: CommandParser) -> None:
    _add_set_arguments(parser)
    _add_model_argument(parser)
    parser.add_argument("--gate-only", action="store_true", help="the relevance gate alone: no model is asked")


def _retrieval(options: Options) -> Iterable[str]:
    _insist_on_one_set(options)
    with ExitStack() as stack:
        progress = stack.enter_context(_bars(shown=not options["json"]))
        is_condensed = options["follow_ups"] is FollowUps.CONDENSED
        asking: dict[str, Any] = {
            "arms": options["arms"],
            "follow_ups": options["follow_ups"],
            "model": stack.enter_context(_model("")) if is_condensed else None,
            "progress": progress,
        }
        report: RetrievalReport
        if options["cases"]:
            stack.enter_context(_index_owned())
            report = live.measure_cases(options["cases"], user=acting_user(options["user"]), **asking)
        else:
            report = retrieval.evaluate(
                _questions(options),
                config=wiring.config().ingestion,
                embedder=engine.embedder(),
                whole_passages=options["whole_passages"],
                **asking,
            )
    return printed(run_store(report), as_json=options["json"])


def _answers(options: Options) -> Iterable[str]:
    _insist_on_one_set(options)
    with ExitStack() as stack:
        progress = stack.enter_context(_bars(shown=not options["json"]))
        model = stack.enter_context(_model(options["model"]))
        judge = None
        if options["judge"]:
            is_other = options["model"] not in {"", wiring.config().chat_model}
            judge = Judge(stack.enter_context(_model("")) if is_other else model)
        if options["cases"]:
            stack.enter_context(_index_owned())
            report = _of_cases(options, model=model, judge=judge, progress=progress)
        else:
            report = _of_folder(options, model=model, judge=judge, progress=progress)
    return printed(run_store(report), as_json=options["json"])


def _refusals(options: Options) -> Iterable[str]:
    with ExitStack() as stack:
        progress = stack.enter_context(_bars(shown=not options["json"]))
        model = None if options["gate_only"] else stack.enter_context(_model(options["model"]))
        report = _weighed(options, model=model, progress=progress)
    return printed(run_store(report), as_json=options["json"])


def _add_routing_arguments(parser: CommandParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--limit", type=positive, help="the first N texts of each file alone")
    add_json_argument(parser)


def _routing(options: Options) -> Iterable[str]:
    report = routing.evaluate(routing.load(options["folder"], limit=options["limit"]), gate=wiring.gate())
    return [json.dumps(asdict(report))] if options["json"] else tables.lines_of_routing(report)


SUBCOMMANDS = {
    "retrieval": Subcommand("how well the right passages are found, by arm", _add_retrieval_arguments, _retrieval),
    "answers": Subcommand("have every question answered: right, cited, refused?", _add_answers_arguments, _answers),
    "refusals": Subcommand(
        "what the relevance gate and the model's doubt refuse; no answer is written", _add_refusals_arguments, _refusals
    ),
    "routing": Subcommand(
        "what the signals say of texts that may leave and of texts that must stay", _add_routing_arguments, _routing
    ),
}


def _insist_on_one_set(options: Options) -> None:
    if bool(options["cases"]) == bool(options["folder"]):
        raise CommandError("Name either a folder or a set of cases.")
    if options["cases"] and (given := [name for name in _OF_A_FOLDER if options.get(name)]):
        raise CommandError(f"Of cases there is no --{given[0].replace('_', '-')}.")


def _of_folder(options: Options, *, model: ChatModel, judge: Judge | None, progress: Progress) -> AnswersReport:
    questions = _questions(options)
    with _throw_away(questions, progress) as texts:
        return answers.evaluate(
            questions,
            texts,
            answerer=_answering(texts, model=model),
            embedder=engine.embedder(),
            judge=judge,
            prices=Prices(*options["prices"]),
            configuration={"chunk_tokens": wiring.config().ingestion.chunk_tokens, **_of_answers(model)},
            progress=progress,
        )


def _of_cases(options: Options, *, model: ChatModel, judge: Judge | None, progress: Progress) -> AnswersReport:
    return live.answer_cases(
        options["cases"],
        user=acting_user(options["user"]),
        answering=partial(_answering, model=model),
        judge=judge,
        prices=Prices(*options["prices"]),
        configuration=_of_answers(model),
        progress=progress,
    )


def _weighed(options: Options, *, model: ChatModel | None, progress: Progress) -> RefusalsReport:
    questions, configured = _questions(options), wiring.config()
    with _throw_away(questions, progress) as texts:
        return refusals.evaluate(
            questions,
            texts,
            answering=lambda search, asked: wiring.answerer_for(search, model=asked, refusal_threshold=0.0),
            model=model,
            gate=configured.relevance_threshold,
            embedder=engine.embedder(),
            configuration={
                **({"model": model.name} if model else {}),
                "passages": configured.passages,
                "chunk_tokens": configured.ingestion.chunk_tokens,
            },
            progress=progress,
        )


def _answering(texts: Corpus, *, model: ChatModel) -> Answerer:
    searched = retrieval.searching(
        texts, embedder=engine.embedder(), relevance_threshold=wiring.config().relevance_threshold
    )
    return wiring.answerer_for(searched, model=model)


def _of_answers(model: ChatModel) -> dict[str, object]:
    configured = wiring.config()
    return {
        "model": model.name,
        "passages": configured.passages,
        "relevance_threshold": configured.relevance_threshold,
        "refusal_threshold": configured.refusal_threshold,
    }


def _questions(options: Options) -> QuestionSet:
    return question_set.load(options["folder"], split=options["split"], limit=options["limit"])


@contextmanager
def _throw_away(questions: QuestionSet, progress: Progress) -> Iterator[Corpus]:
    with corpus.opened(
        questions,
        config=wiring.config().ingestion,
        embedder=engine.embedder(),
        whole_passages=False,
        progress=progress,
    ) as texts:
        yield texts


@contextmanager
def _model(name: str) -> Iterator[ChatModel]:
    """The named model, or the configured one."""
    with wiring.chat_model_named(name or wiring.config().chat_model) as model:
        yield model


@contextmanager
def _index_owned() -> Iterator[None]:
    with ExitStack() as stack:
        if wiring.config().is_embedded:
            stack.enter_context(embedded.data_folder_owned())
        yield


def _arms(text: str) -> dict[str, Arm]:
    names = text.split(",")
    unknown = [name for name in names if name not in ARMS]
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; there are {', '.join(ARMS)}")
    return {name: ARMS[name] for name in names}


@contextmanager
def _bars(*, shown: bool) -> Iterator[Progress]:
    """A bar for each step, on standard error."""
    bars: dict[str, tqdm[Any]] = {}

    def progress(step: str, done: int, total: int) -> None:
        if step not in bars:
            bars[step] = tqdm(total=total, desc=step, disable=not shown, leave=False)
        bars[step].update(done - bars[step].n)

    try:
        yield progress
    finally:
        for bar in bars.values():
            bar.close()
