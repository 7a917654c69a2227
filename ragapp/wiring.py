"""Puts the parts together as configured. The one place that knows every adapter."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache

from asgiref.sync import async_to_sync
from django.conf import settings
from django.db import DatabaseError, connection

from ingestion import engine
from ingestion.access import AccessScope
from ingestion.errors import IngestionError
from ingestion.index.base import DENSE_WEIGHT, NO_CONDITIONS, Conditions
from ragapp import weights
from ragapp.answering import prompts
from ragapp.answering.answerer import Answerer
from ragapp.answering.base import Retrieval, Retriever
from ragapp.answering.retrieval import HybridRetriever
from ragapp.audit.ledger import SqlLedger
from ragapp.config import Config
from ragapp.gateway.base import ChatModel, Ledger
from ragapp.gateway.errors import ChatModelUnavailableError
from ragapp.gateway.gate import Gate
from ragapp.gateway.ledger import ChainKey, MemoryLedger
from ragapp.gateway.openai_compatible import Endpoint, OpenAICompatibleChat
from ragapp.gateway.router import Router
from ragapp.gateway.signals.form import Form
from ragapp.gateway.signals.identifiers import Identifiers
from ragapp.gateway.signals.injection import Injection
from ragapp.gateway.signals.secrets import Secrets
from ragapp.gateway.supervisor import ModelServerState, ModelServerStatus, ModelServerSupervisor
from ragapp.passages import SqlPassageStore

logger = logging.getLogger(__name__)

_LOADING_WAIT_S = 90.0
_POLL_S = 0.25


def config() -> Config:
    """The configuration of this process."""
    value: Config = settings.RAGAPP
    return value


@lru_cache(maxsize=1)
def answerer() -> Answerer:
    """Answers a question in a scope."""
    return Answerer(
        retriever=_retriever(),
        router=_router(ledger()),
        model=chat_model(),
        passages=config().passages,
        generating=_generating(),
        embedder=engine.embedder,
        refusal_threshold=config().refusal_threshold,
    )


def answerer_for(retriever: Retriever, *, model: ChatModel, refusal_threshold: float | None = None) -> Answerer:
    """Answers as `answerer` does, over another search and by another model, for a measurement: nothing is recorded.

    `refusal_threshold` in place of the configured one.
    """
    return Answerer(
        retriever=retriever,
        router=unrecorded_router(),
        model=model,
        passages=config().passages,
        generating=nullcontext,
        embedder=engine.embedder,
        refusal_threshold=config().refusal_threshold if refusal_threshold is None else refusal_threshold,
    )


def unrecorded_router() -> Router:
    """Decides as questions are decided, and leaves no record: for measurements and for trying a text."""
    return _router(MemoryLedger(_chain_key()))


@lru_cache(maxsize=1)
def gate() -> Gate:
    """The signals that look at a question's words, ready to look."""
    ready = Gate((Secrets(), Identifiers(), Form(), Injection()))
    ready.warm()
    return ready


def ledger() -> SqlLedger:
    """The record of decisions."""
    return SqlLedger(_chain_key())


def search(question: str, *, scope: AccessScope, limit: int, conditions: Conditions = NO_CONDITIONS) -> Retrieval:
    """The best passages for a question. Raises EmbedderUnavailableError or IndexUnavailableError."""
    return _retriever().retrieve(question, scope=scope, limit=limit, conditions=conditions)


def retriever(*, dense_weight: float = DENSE_WEIGHT, second_stage: bool = True) -> HybridRetriever:
    """Searches the live index with these settings; what answers are made with, unless told otherwise."""
    return HybridRetriever(
        embedder=engine.embedder,
        index=engine.index,
        store=SqlPassageStore(),
        relevance_threshold=config().relevance_threshold,
        dense_weight=dense_weight,
        second_stage=second_stage,
        pair_scorer=engine.pair_scorer,
    )


@lru_cache(maxsize=1)
def chat_model() -> OpenAICompatibleChat:
    """The in-perimeter model: a server by URL, or the child process."""
    if config().chat_url:
        return _served_elsewhere(config().chat_model)
    return _served_by(model_server)


@contextmanager
def chat_model_named(name: str) -> Iterator[OpenAICompatibleChat]:
    """Another model inside the perimeter, for a command: one that the chat server knows, or a child of this block.

    Raises WeightsError, or ChatModelUnavailableError where the child does not get ready.
    """
    if config().chat_url:
        yield _served_elsewhere(name)
        return
    server = _supervisor(name, log_file="evaluated-model.log")
    server.start()
    try:
        if not server.wait_ready(_LOADING_WAIT_S):
            raise ChatModelUnavailableError(server.status().detail)
        yield _served_by(lambda: server)
    finally:
        server.stop()


@lru_cache(maxsize=1)
def model_server() -> ModelServerSupervisor:
    """The child process that serves the model. Raises WeightsError where its weights were not fetched."""
    return _supervisor(config().chat_model, log_file="model.log")


def _supervisor(name: str, *, log_file: str) -> ModelServerSupervisor:
    path = weights.find(name, config().weights_dir)
    if path is None:
        raise weights.WeightsUnavailableError(f"The weights of {name} are not here yet. Run: make setup")
    return ModelServerSupervisor(
        path,
        alias=name.rsplit("/", 1)[-1].removesuffix(".gguf"),
        log_file=config().data_dir / "logs" / log_file,
        system_prompt=prompts.SYSTEM,
    )


def _served_elsewhere(name: str) -> OpenAICompatibleChat:
    endpoint = Endpoint(config().chat_url.rstrip("/"), config().chat_api_key.get_secret_value())

    async def fixed() -> Endpoint:
        return endpoint

    return OpenAICompatibleChat(name=name, endpoint=fixed, supports_cache_salt=True)


def _served_by(server: Callable[[], ModelServerSupervisor]) -> OpenAICompatibleChat:
    async def child() -> Endpoint:
        return await _child_endpoint(server())

    return OpenAICompatibleChat(name=server().model, endpoint=child, supports_cache_salt=False)


def model_status() -> ModelServerStatus:
    """Whether the model can answer, with a sentence for a person."""
    if not config().chat_url:
        return model_server().status()
    if async_to_sync(chat_model().is_ready)():
        return ModelServerStatus(state=ModelServerState.READY, restarts=0, detail="The model server answers.")
    return ModelServerStatus(
        state=ModelServerState.STARTING,
        restarts=0,
        detail="The model server does not answer.",
    )


def readiness() -> dict[str, str]:
    """The parts that would fail a question now, each with one word for an operator; empty when all is well."""
    checks: dict[str, Callable[[], str]] = {"database": _database, "index": _index, "model": _model}
    return {name: problem for name, check in checks.items() if (problem := check())}


def _router(ledger: Ledger) -> Router:
    return Router(gate=gate(), ledger=ledger, question_hash=_chain_key().question_hash)


def _chain_key() -> ChainKey:
    return ChainKey(settings.SECRET_KEY)


@lru_cache(maxsize=1)
def _retriever() -> HybridRetriever:
    return retriever()


def _generating() -> Callable[[], AbstractContextManager[None]]:
    """On one machine, reading pauses while the model writes; a model server elsewhere needs no such care."""
    return nullcontext if config().chat_url else engine.answering


async def _child_endpoint(server: ModelServerSupervisor) -> Endpoint:
    """Waits for a child that is being loaded; one that is not running at all is an error at once."""
    deadline = asyncio.get_running_loop().time() + _LOADING_WAIT_S
    while server.status().state is not ModelServerState.READY:
        if server.status().state is ModelServerState.STOPPED or asyncio.get_running_loop().time() > deadline:
            raise ChatModelUnavailableError(server.status().detail)
        await asyncio.sleep(_POLL_S)
    return Endpoint(base_url=server.base_url, api_key=server.api_key)


def _database() -> str:
    try:
        connection.ensure_connection()
    except DatabaseError as exc:
        logger.warning("database not ready: %s", exc)
        return "unreachable"
    return ""


def _index() -> str:
    try:
        engine.index().count()
    except IngestionError as exc:
        logger.warning("index not ready: %s", exc)
        return exc.code
    return ""


def _model() -> str:
    try:
        state = model_status().state
    except weights.WeightsError as exc:
        return exc.code
    return "" if state is ModelServerState.READY else state.value
