"""The chat-model contract, and one whole question through the product, against a real vLLM."""

from pathlib import Path
from unittest.mock import patch

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings

from deploy.vllm_cpu import VllmServer
from ingestion import engine, services, tasks
from ingestion.files import blocks_of
from ingestion.models import Label
from ingestion.selectors import scope_for
from ragapp import wiring
from ragapp.accounts.models import User
from ragapp.bootstrap import SAMPLE_DIR
from ragapp.chat import services as chat_services
from ragapp.chat.models import AnswerState
from ragapp.chat.schema import answer_body
from ragapp.chat.streaming import answer_events
from ragapp.gateway.base import ChatModel
from ragapp.gateway.openai_compatible import Endpoint, OpenAICompatibleChat
from tests.ragapp.gateway.contract import ChatModelContract


class TestVllm(ChatModelContract):
    @pytest.fixture
    def model(self, vllm_server: VllmServer) -> ChatModel:
        async def endpoint() -> Endpoint:
            return Endpoint(vllm_server.base_url, vllm_server.api_key)

        return OpenAICompatibleChat(name=vllm_server.model, endpoint=endpoint, supports_cache_salt=True)


@pytest.mark.django_db(transaction=True)
async def test_a_question_is_answered_from_a_document_through_vllm(vllm_server: VllmServer, models_dir: Path) -> None:
    configured = settings.RAGAPP.model_copy(
        update={
            "chat_url": vllm_server.base_url,
            "chat_model": vllm_server.model,
            "chat_api_key": type(settings.RAGAPP.chat_api_key)(vllm_server.api_key),
        }
    )
    user = await sync_to_async(User.objects.create_superuser)("root")
    for cached in (wiring.answerer, wiring.chat_model):
        cached.cache_clear()
    with patch.object(settings, "RAGAPP", configured):
        await sync_to_async(_ingested)()
        turn = await sync_to_async(chat_services.turn_start)(
            user=user, question="Which form do I need for a trip abroad?"
        )
        scope = await sync_to_async(scope_for)(user)
        async for _ in answer_events(turn.answer.pk, owner=user, answerer=wiring.answerer(), scope=scope):
            pass
        answer = await sync_to_async(
            lambda: answer_body(chat_services.answer_get(turn.answer.pk, owner=user), scope=scope)
        )()
    for cached in (wiring.answerer, wiring.chat_model):
        cached.cache_clear()
    engine.close()
    assert answer["state"] == AnswerState.FINISHED
    assert answer["route"]["model"] == vllm_server.model
    assert answer["usage"]["completion_tokens"] > 0
    assert answer["timings"]["first_token"] > 0


def _ingested() -> None:
    collection = services.collection_create(name="Handbook", label=Label.INTERNAL)
    path = SAMPLE_DIR / "expenses-and-travel.md"
    submission = services.document_submit(
        collection=collection, name=path.name, content=blocks_of(path), uploaded_by=None
    )
    tasks.ingest_document(str(submission.document.pk))
