"""From a question to events, over a scripted model."""

from collections.abc import AsyncIterator
from contextlib import aclosing, nullcontext

import pytest

from ingestion.access import AccessScope
from ingestion.embedding.hashing import HashingEmbedder
from ingestion.errors import IndexUnavailableError
from ingestion.index.base import NO_CONDITIONS, Conditions
from ragapp.answering import prompts
from ragapp.answering.answerer import NOT_IN_DOCUMENTS, Answerer
from ragapp.answering.base import (
    AnswerEvent,
    AnswerFailed,
    AnswerFinished,
    Passage,
    PastTurn,
    Retrieval,
    RouteChosen,
    SourcesFound,
    TextDelta,
)
from ragapp.gateway.base import Verdict
from ragapp.gateway.errors import ChatModelUnavailableError
from ragapp.gateway.ledger import MemoryLedger
from ragapp.gateway.scripted import ScriptedChat
from tests.ragapp.gateway.routing import KEY, router

SCOPE = AccessScope(frozenset({"c"}))
PASSAGE = Passage(
    chunk_id="1",
    document_id="2",
    collection_id="c",
    title="leave.md",
    text="Staff get 25 days of annual leave.",
    label=1,
    score=0.8,
    dense=0.7,
)


class FixedRetriever:
    def __init__(self, *passages: Passage, relevant: bool = True, error: Exception | None = None) -> None:
        self.scopes: list[AccessScope] = []
        self.asked: list[tuple[str, str]] = []
        self._found = Retrieval(passages=passages, relevant=relevant)
        self._error = error

    def retrieve(
        self,
        question: str,
        *,
        scope: AccessScope,
        limit: int,
        earlier: str = "",
        conditions: Conditions = NO_CONDITIONS,
    ) -> Retrieval:
        self.scopes.append(scope)
        self.asked.append((question, earlier))
        if self._error:
            raise self._error
        return self._found


def answerer(
    model: ScriptedChat, retriever: FixedRetriever, ledger: MemoryLedger | None = None, refusal_threshold: float = 0.5
) -> Answerer:
    return Answerer(
        retriever=retriever,
        router=router(ledger),
        model=model,
        passages=4,
        generating=nullcontext,
        embedder=HashingEmbedder,
        refusal_threshold=refusal_threshold,
    )


async def collect(events: AsyncIterator[AnswerEvent]) -> list[AnswerEvent]:
    return [event async for event in events]


async def test_events_come_in_order_and_end_with_a_cited_answer() -> None:
    model = ScriptedChat(["You get 25 days", " of annual leave."])
    events = await collect(answerer(model, FixedRetriever(PASSAGE)).answer("How many days?", scope=SCOPE))
    assert [type(event) for event in events] == [SourcesFound, RouteChosen, TextDelta, TextDelta, AnswerFinished]
    finished = events[-1]
    assert isinstance(finished, AnswerFinished)
    assert finished.text == "You get 25 days of annual leave. [1]"
    assert [source.passage for source in finished.sources] == [PASSAGE]
    assert finished.decision.verdict is Verdict.INSIDE
    assert finished.usage.completion_tokens == 3, "two pieces, and the token of the check"
    assert set(finished.timings) == {"retrieve", "check", "first_token", "cite", "total"}


async def test_the_model_is_asked_the_built_prompt_with_a_salt_per_rights() -> None:
    model = ScriptedChat(["25 days."])
    await collect(answerer(model, FixedRetriever(PASSAGE)).answer("How many days?", scope=SCOPE))
    assert model.requests[0].messages == prompts.build("How many days?", [PASSAGE])
    assert model.requests[0].cache_salt == SCOPE.fingerprint


async def test_nothing_relevant_refuses_without_asking_the_model() -> None:
    model = ScriptedChat()
    events = await collect(answerer(model, FixedRetriever(PASSAGE, relevant=False)).answer("Mars?", scope=SCOPE))
    finished = events[-1]
    assert isinstance(finished, AnswerFinished)
    assert (finished.refused, finished.text, finished.sources) == (True, NOT_IN_DOCUMENTS, ())
    assert [source.passage for source in finished.nearest] == [PASSAGE]
    assert model.requests == []


async def test_the_models_own_refusal_is_told_as_one() -> None:
    events = await collect(
        answerer(ScriptedChat(["I don't ", "know."]), FixedRetriever(PASSAGE)).answer("Mars?", scope=SCOPE)
    )
    finished = events[-1]
    assert isinstance(finished, AnswerFinished)
    assert (finished.refused, finished.text) == (True, NOT_IN_DOCUMENTS)


async def test_an_answer_that_the_length_limit_cut_says_so() -> None:
    model = ScriptedChat(["You get 25"], finish_reason="length")
    finished = (await collect(answerer(model, FixedRetriever(PASSAGE)).answer("How many?", scope=SCOPE)))[-1]
    assert isinstance(finished, AnswerFinished)
    assert finished.truncated


async def test_a_model_that_dies_midway_ends_in_an_error_with_what_had_come() -> None:
    model = ScriptedChat(["You get", ChatModelUnavailableError("gone")])
    events = await collect(answerer(model, FixedRetriever(PASSAGE)).answer("How many?", scope=SCOPE))
    assert events[-1] == AnswerFailed(code="model_unavailable", text="You get")


async def test_an_index_that_is_down_ends_in_an_error() -> None:
    retriever = FixedRetriever(error=IndexUnavailableError("down"))
    events = await collect(answerer(ScriptedChat(), retriever).answer("How many?", scope=SCOPE))
    assert events == [AnswerFailed(code="index_unavailable")]


async def test_an_unforeseen_error_is_told_without_its_words() -> None:
    retriever = FixedRetriever(error=RuntimeError("password=hunter2"))
    events = await collect(answerer(ScriptedChat(), retriever).answer("How many?", scope=SCOPE))
    assert events == [AnswerFailed(code="internal_error")]


async def test_the_decision_is_on_the_record_before_the_first_token() -> None:
    ledger = MemoryLedger(KEY)
    model = ScriptedChat(["25 days."])
    async with aclosing(answerer(model, FixedRetriever(PASSAGE), ledger).answer("How many?", scope=SCOPE)) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                assert len(ledger.links) == 1
                return
    pytest.fail("no token came")


async def test_the_search_runs_in_the_askers_scope() -> None:
    retriever = FixedRetriever(PASSAGE)
    await collect(answerer(ScriptedChat(["25 days."]), retriever).answer("How many?", scope=SCOPE))
    assert retriever.scopes == [SCOPE]


async def test_a_follow_up_is_searched_as_a_question_of_its_own() -> None:
    model = ScriptedChat(["How many days of leave in winter?"], ["25 days of annual leave."])
    retriever = FixedRetriever(PASSAGE)
    history = [PastTurn("How many days of leave do I get?", "25 days.")]
    events = await collect(answerer(model, retriever).answer("And in winter?", scope=SCOPE, history=history))
    assert retriever.asked == [("How many days of leave in winter?", "")]
    assert [event.asked for event in events if isinstance(event, SourcesFound)] == ["How many days of leave in winter?"]
    asked = model.requests[1].messages[1].content
    assert "Question: How many days of leave in winter?\n" in asked
    assert "Asked before" not in asked
    finished = events[-1]
    assert isinstance(finished, AnswerFinished)
    assert finished.timings["condense"] > 0
    assert finished.usage.completion_tokens == 3, "a piece rewritten, the token of the check, a piece answered"


async def test_a_follow_up_that_the_model_cannot_rewrite_leans_on_the_question_before() -> None:
    model = ScriptedChat([ChatModelUnavailableError("busy")], ["25 days of annual leave."])
    retriever = FixedRetriever(PASSAGE)
    history = [PastTurn("How many days of leave do I get?")]
    await collect(answerer(model, retriever).answer("And in winter?", scope=SCOPE, history=history))
    assert retriever.asked == [("And in winter?", "How many days of leave do I get?")]


async def test_a_whole_question_is_not_rewritten() -> None:
    model = ScriptedChat(["25 days of annual leave."])
    history = [PastTurn("Who signs?")]
    question = "How many days of annual leave do employees of Oslo get?"
    await collect(answerer(model, FixedRetriever(PASSAGE)).answer(question, scope=SCOPE, history=history))
    assert len(model.requests) == 1


@pytest.mark.parametrize(("doubt", "is_refused"), [(0.5, True), (0.49, False), (None, False)])
async def test_the_models_doubt_refuses_before_a_word_is_written(doubt: float | None, is_refused: bool) -> None:
    model = ScriptedChat(["25 days of annual leave."], doubt=doubt)
    finished = (await collect(answerer(model, FixedRetriever(PASSAGE)).answer("How many days?", scope=SCOPE)))[-1]
    assert isinstance(finished, AnswerFinished)
    assert finished.refused is is_refused
    assert [source.passage for source in finished.nearest] == ([PASSAGE] if is_refused else [])
    assert len(model.requests) == (0 if is_refused else 1)


async def test_doubt_is_asked_for_with_the_prompt_of_the_answer_but_for_its_ending() -> None:
    model = ScriptedChat(["25 days."], doubt=0.0)
    await collect(answerer(model, FixedRetriever(PASSAGE)).answer("How many days?", scope=SCOPE))
    check, answer = (each[0].messages[1].content for each in (model.checks, model.requests))
    assert check.removesuffix(prompts.CHECK) == answer.removesuffix(prompts.ANSWER)
    assert model.checks[0].cache_salt == SCOPE.fingerprint


async def test_a_threshold_of_one_asks_for_no_doubt() -> None:
    model = ScriptedChat(["25 days."], doubt=1.0)
    await collect(answerer(model, FixedRetriever(PASSAGE), refusal_threshold=1.0).answer("How many?", scope=SCOPE))
    assert model.checks == []
