"""A question to a stream of events. The only bridge from blocking search to the async token stream."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractContextManager, aclosing

from ingestion.access import AccessScope
from ingestion.errors import IngestionError
from ingestion.index.base import NO_CONDITIONS, Conditions
from ragapp.answering import citing, prompts
from ragapp.answering.base import (
    AnswerEvent,
    AnswerFailed,
    AnswerFinished,
    Passage,
    Retrieval,
    Retriever,
    RouteChosen,
    Source,
    SourcesFound,
    TextDelta,
)
from ragapp.gateway.base import ChatModel, ChatRequest, Decision, Usage
from ragapp.gateway.errors import GatewayError
from ragapp.gateway.router import Router

logger = logging.getLogger(__name__)

NOT_IN_DOCUMENTS = "I could not find this in your documents."
MAX_ANSWER_TOKENS = 320
NEAREST_DOCUMENTS = 3


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
    ) -> None:
        self._retriever = retriever
        self._router = router
        self._model = model
        self._passages = passages
        self._generating = generating

    async def answer(
        self, question: str, *, scope: AccessScope, earlier: str = "", conditions: Conditions = NO_CONDITIONS
    ) -> AsyncGenerator[AnswerEvent, None]:
        """Events in the order SourcesFound, RouteChosen, TextDelta…, then AnswerFinished or AnswerFailed.

        `earlier` is the question before it in the conversation, or ''; `conditions` limit what is searched.
        """
        text: list[str] = []
        try:
            telling = self._events(question, scope=scope, earlier=earlier, conditions=conditions, text=text)
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
        self, question: str, *, scope: AccessScope, earlier: str, conditions: Conditions, text: list[str]
    ) -> AsyncGenerator[AnswerEvent, None]:
        started = time.perf_counter()
        found = await asyncio.to_thread(
            self._retriever.retrieve,
            question,
            scope=scope,
            limit=self._passages,
            earlier=earlier,
            conditions=conditions,
        )
        yield SourcesFound(asked=question, passages=found.passages, dropped=found.dropped)
        decision = await asyncio.to_thread(self._router.decide, question, found, model=self._model.name)
        yield RouteChosen(decision)
        timings = {**found.timings, "retrieve": time.perf_counter() - started}
        usage, truncated = Usage(), False
        if found.relevant:
            request = self._request(question, found, scope=scope, earlier=earlier)
            with self._generating():
                async with aclosing(self._model.stream(request)) as deltas:
                    async for delta in deltas:
                        usage = delta.usage or usage
                        truncated = truncated or delta.finish_reason == "length"
                        if delta.text:
                            timings.setdefault("first_token", time.perf_counter() - started)
                            text.append(delta.text)
                            yield TextDelta(delta.text)
        timings["total"] = time.perf_counter() - started
        yield _finished(
            "".join(text), found.passages, truncated=truncated, decision=decision, usage=usage, timings=timings
        )

    def _request(self, question: str, found: Retrieval, *, scope: AccessScope, earlier: str) -> ChatRequest:
        return ChatRequest(
            messages=prompts.build(question, found.passages, earlier=earlier),
            max_tokens=MAX_ANSWER_TOKENS,
            cache_salt=scope.fingerprint,
        )


def _finished(
    raw: str,
    passages: tuple[Passage, ...],
    *,
    truncated: bool,
    decision: Decision,
    usage: Usage,
    timings: dict[str, float],
) -> AnswerFinished:
    """Refused where nothing relevant was found (the model was not asked) or where the model says so."""
    refused = not raw.strip() or citing.is_refusal(raw)
    cited = citing.CitedAnswer(NOT_IN_DOCUMENTS, ()) if refused else citing.cite(raw, passages)
    return AnswerFinished(
        text=cited.text,
        sources=cited.sources,
        nearest=_nearest(passages) if refused else (),
        refused=refused,
        truncated=truncated,
        decision=decision,
        usage=usage,
        timings=timings,
    )


def _nearest(passages: tuple[Passage, ...]) -> tuple[Source, ...]:
    """The best passage of each of the nearest documents, for a person who wants to look for themselves."""
    best: dict[str, Passage] = {}
    for passage in passages:
        best.setdefault(passage.document_id, passage)
    chosen = list(best.values())[:NEAREST_DOCUMENTS]
    return tuple(
        Source(n=n, passage=passage, quote=citing.quote_for("", passage)) for n, passage in enumerate(chosen, start=1)
    )
