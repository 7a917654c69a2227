"""A question to a stream of events. The only bridge from blocking search to the async token stream."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractContextManager, aclosing
from functools import partial

from ingestion.access import AccessScope
from ingestion.errors import EmbedderUnavailableError, IngestionError
from ingestion.index.base import NO_CONDITIONS, Conditions
from ragapp.answering import citing, differing, prompts
from ragapp.answering.base import (
    AnswerEvent,
    AnswerFailed,
    AnswerFinished,
    Passage,
    PastTurn,
    Retriever,
    RouteChosen,
    Source,
    SourcesFound,
    TextDelta,
)
from ragapp.answering.condensing import Condensed, condensed, needs_rewriting
from ragapp.answering.selection import Selection, select
from ragapp.answering.support import Support, TextEmbedder
from ragapp.gateway.base import Beginning, ChatDelta, ChatMessage, ChatModel, ChatRequest, Usage
from ragapp.gateway.errors import GatewayError
from ragapp.gateway.router import Asked, Router

logger = logging.getLogger(__name__)

NOT_IN_DOCUMENTS = "I could not find this in your documents."
MAX_ANSWER_TOKENS = 320
NEAREST_DOCUMENTS = 3
# So many times the passages that the model gets are looked at: copies go, and documents take turns.
_CONSIDERED = 3
# Refused where nothing relevant was found (the model was not asked), where it would rather, or where it says so.
_NOTHING = citing.CitedAnswer(NOT_IN_DOCUMENTS, ())


class Answerer:
    """Retrieve, route, prompt, stream, cite. `generating` is held while the model writes."""

    def __init__(
        self,
        *,
        retriever: Retriever,
        router: Router,
        model: ChatModel,
        passages: int,
        generating: Callable[[], AbstractContextManager[None]],
        embedder: Callable[[], TextEmbedder],
        refusal_threshold: float = 1.0,
    ) -> None:
        """`refusal_threshold`: the likelihood of 'I don't know' from which it is taken for the answer; 1 is never."""
        self._retriever = retriever
        self._router = router
        self._model = model
        self._passages = passages
        self._generating = generating
        self._embedder = embedder
        self._refusal_threshold = refusal_threshold

    async def answer(
        self,
        question: str,
        *,
        scope: AccessScope,
        history: Sequence[PastTurn] = (),
        conditions: Conditions = NO_CONDITIONS,
    ) -> AsyncGenerator[AnswerEvent, None]:
        """Events in the order SourcesFound, RouteChosen, TextDelta…, then AnswerFinished or AnswerFailed.

        `history` are the turns before it, oldest first; `conditions` limit what is searched.
        """
        text: list[str] = []
        try:
            telling = self._events(question, scope=scope, history=history, conditions=conditions, text=text)
            async with aclosing(telling) as events:
                async for event in events:
                    yield event
        except (IngestionError, GatewayError) as exc:
            logger.warning("answer failed: %s: %s", exc.code, exc)
            yield AnswerFailed(code=exc.code, text="".join(text))
        except Exception:
            logger.exception("answer failed")
            yield AnswerFailed(code="internal_error", text="".join(text))

    async def _events(
        self, question: str, *, scope: AccessScope, history: Sequence[PastTurn], conditions: Conditions, text: list[str]
    ) -> AsyncGenerator[AnswerEvent, None]:
        started = time.perf_counter()
        rewritten = await self._standing_alone(question, history, scope=scope)
        timings = {"condense": time.perf_counter() - started} if rewritten.text else {}
        asked = rewritten.text or question
        earlier = history[-1].question if history and not rewritten.text else ""
        found = await asyncio.to_thread(
            self._retriever.retrieve,
            asked,
            scope=scope,
            limit=_CONSIDERED * self._passages,
            earlier=earlier,
            conditions=conditions,
        )
        chosen = select(asked, found.passages, limit=self._passages, following=found.following)
        yield SourcesFound(asked=asked, passages=chosen.given, dropped=chosen.dropped)
        asks = Asked(question, earlier_turns=len(history), narrowed=conditions != NO_CONDITIONS)
        decision = await asyncio.to_thread(self._router.decide, asks, found, model=self._model.name)
        yield RouteChosen(decision)
        timings |= {**found.timings, "retrieve": time.perf_counter() - started}
        beginning, usage, truncated = Beginning(None), Usage(), False
        if found.relevant:
            asking = partial(prompts.build, asked, chosen.given, earlier=earlier)
            with self._generating():
                beginning = await self._beginning(asking(ending=prompts.CHECK), scope=scope)
                timings["check"] = time.perf_counter() - started - timings["retrieve"]
                request = self._request(asking(), scope=scope)
                writing = _nothing() if self._is_doubtful(beginning) else self._model.stream(request)
                async with aclosing(writing) as deltas:
                    async for delta in deltas:
                        usage = delta.usage or usage
                        truncated = truncated or delta.finish_reason == "length"
                        if delta.text:
                            timings.setdefault("first_token", time.perf_counter() - started)
                            text.append(delta.text)
                            yield TextDelta(delta.text)
        written = time.perf_counter()
        raw = "".join(text)
        refused = not raw.strip() or citing.is_refusal(raw)
        cited = _NOTHING if refused else await asyncio.to_thread(self._cited, raw, chosen, question=asked)
        ended = time.perf_counter()
        yield AnswerFinished(
            text=cited.text,
            sources=cited.sources,
            nearest=_nearest(chosen.given) if refused else (),
            refused=refused,
            truncated=truncated,
            decision=decision,
            usage=rewritten.usage + beginning.usage + usage,
            timings={**timings, "cite": ended - written, "total": ended - started},
            statements=cited.statements,
            supported=cited.supported,
        )

    async def _beginning(self, messages: tuple[ChatMessage, ...], *, scope: AccessScope) -> Beginning:
        """How likely the model would say that it does not know. A server that tells no likelihoods is not asked again
        in words: then the answer itself decides.
        """
        if self._refusal_threshold >= 1.0:
            return Beginning(None)
        try:
            return await self._model.begins_with(self._request(messages, scope=scope), token=prompts.REFUSES)
        except GatewayError as exc:
            # Where it is more than this that the server cannot do, the answer fails with the same.
            logger.warning("no likelihood: %s: %s", exc.code, exc)
            return Beginning(None)

    def _is_doubtful(self, beginning: Beginning) -> bool:
        return beginning.likelihood is not None and beginning.likelihood >= self._refusal_threshold

    def _request(self, messages: tuple[ChatMessage, ...], *, scope: AccessScope) -> ChatRequest:
        return ChatRequest(messages=messages, max_tokens=MAX_ANSWER_TOKENS, cache_salt=scope.fingerprint)

    def _cited(self, raw: str, chosen: Selection, *, question: str) -> citing.CitedAnswer:
        """By words alone where the embedder has gone since the search: the answer is there, and is not thrown away."""
        try:
            return _attributed(raw, chosen, question=question, embedder=self._embedder())
        except EmbedderUnavailableError as exc:
            logger.warning("cited by words alone: %s", exc)
            return _attributed(raw, chosen, question=question, embedder=None)

    async def _standing_alone(self, question: str, history: Sequence[PastTurn], *, scope: AccessScope) -> Condensed:
        """The follow-up rewritten by the model; without a text where it needs no rewriting, or cannot have one."""
        if scope.is_empty or not needs_rewriting(question, history):
            return Condensed(None, Usage())
        with self._generating():
            return await condensed(question, history, model=self._model, cache_salt=scope.fingerprint)


def _attributed(raw: str, chosen: Selection, *, question: str, embedder: TextEmbedder | None) -> citing.CitedAnswer:
    support = Support(chosen.given, question=question, embedder=embedder)
    return differing.told(citing.cite(raw, support), differing.considered(chosen), support=support)


async def _nothing() -> AsyncGenerator[ChatDelta, None]:
    return
    yield


def _nearest(passages: tuple[Passage, ...]) -> tuple[Source, ...]:
    """The best passage of each of the nearest documents, for a person who wants to look for themselves."""
    best: dict[str, Passage] = {}
    for passage in passages:
        best.setdefault(passage.document_id, passage)
    chosen = list(best.values())[:NEAREST_DOCUMENTS]
    return tuple(
        Source(n=n, passage=passage, quote=citing.quote_for("", passage.text))
        for n, passage in enumerate(chosen, start=1)
    )
