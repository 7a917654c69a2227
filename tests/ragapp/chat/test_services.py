"""Turns, claims and outcomes of answers; another person's are not found."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from ingestion.access import AccessScope
from ingestion.models import Chunk, Collection, Document, DocumentState, Label
from ragapp.accounts.models import User
from ragapp.answering.base import AnswerFinished, Passage, Source
from ragapp.chat import services
from ragapp.chat.errors import (
    AnswerNotFoundError,
    ConversationNotFoundError,
    QuestionEmptyError,
    QuestionTooLongError,
    TooManyQuestionsError,
)
from ragapp.chat.models import AnswerState, Citation, Message
from ragapp.chat.schema import answer_body
from ragapp.gateway.base import Decision, Finding, Signal, Usage, Verdict

pytestmark = pytest.mark.django_db

DECISION = Decision(
    verdict=Verdict.INSIDE,
    reason="Stayed inside: because.",
    model="qwen",
    signals=(Signal(name="switches", finding=Finding.DENY, evidence="off"),),
)


@pytest.fixture
def user() -> User:
    return User.objects.create_user("ann")


@pytest.fixture
def chunk() -> Chunk:
    collection = Collection.objects.create(name="HR", label=Label.CONFIDENTIAL)
    document = Document.objects.create(
        collection=collection,
        name="leave.md",
        title="Leave",
        sha256="0" * 64,
        size=1,
        label=Label.CONFIDENTIAL,
        state=DocumentState.READY,
        live_version=1,
        chunk_count=1,
    )
    return Chunk.objects.create(id=uuid4(), document=document, ordinal=0, text="25 days.", page=3, start=0, end=8)


def finished(chunk: Chunk) -> AnswerFinished:
    passage = Passage(
        chunk_id=str(chunk.pk),
        document_id=str(chunk.document_id),
        collection_id=str(chunk.document.collection_id),
        title="Leave",
        text=chunk.text,
        label=Label.CONFIDENTIAL,
        page=3,
        score=0.71,
    )
    return AnswerFinished(
        text="25 days. [1]",
        sources=(Source(n=1, passage=passage, quote="25 days."),),
        nearest=(),
        refused=False,
        truncated=False,
        decision=DECISION,
        usage=Usage(prompt_tokens=10, completion_tokens=3),
        timings={"total": 1.23456},
    )


def test_a_turn_saves_the_question_and_a_pending_answer(user: User) -> None:
    turn = services.turn_start(user=user, question="  How many days?\x00 ")
    assert turn.question.text == "How many days?"
    assert turn.answer.state == AnswerState.PENDING
    assert turn.conversation.title == "How many days?"
    assert services.question_of(turn.answer) == turn.question


def test_a_second_turn_goes_into_the_same_conversation(user: User) -> None:
    first = services.turn_start(user=user, question="One?")
    second = services.turn_start(user=user, question="Two?", conversation=first.conversation)
    assert second.conversation == first.conversation
    assert services.question_of(second.answer).text == "Two?"


@pytest.mark.parametrize("question", ["", "   ", "\x00"])
def test_an_empty_question_is_refused(user: User, question: str) -> None:
    with pytest.raises(QuestionEmptyError):
        services.turn_start(user=user, question=question)


def test_a_question_of_a_novels_length_is_refused(user: User) -> None:
    with pytest.raises(QuestionTooLongError):
        services.turn_start(user=user, question="x" * 4_001)


def test_nobody_fills_the_line_alone(user: User) -> None:
    turns = [services.turn_start(user=user, question="One?") for _ in range(services.ANSWERS_AT_ONCE)]
    with pytest.raises(TooManyQuestionsError):
        services.turn_start(user=user, question="One more?")
    services.turn_start(user=User.objects.create_user("bob"), question="Mine?")
    Message.objects.filter(pk=turns[0].answer.pk).update(state=AnswerState.FINISHED)
    services.turn_start(user=user, question="Now?")


def test_another_persons_conversation_and_answer_are_not_found(user: User) -> None:
    turn = services.turn_start(user=User.objects.create_user("bob"), question="Mine?")
    with pytest.raises(ConversationNotFoundError):
        services.conversation_get(turn.conversation.pk, owner=user)
    with pytest.raises(AnswerNotFoundError):
        services.answer_get(turn.answer.pk, owner=user)


@pytest.mark.parametrize("key", ["", "1", "not-a-uuid", "../../etc/passwd"])
def test_a_malformed_id_is_not_found(user: User, key: str) -> None:
    with pytest.raises(ConversationNotFoundError):
        services.conversation_get(key, owner=user)
    with pytest.raises(AnswerNotFoundError):
        services.answer_get(key, owner=user)


def test_only_one_claim_on_an_answer_succeeds(user: User) -> None:
    turn = services.turn_start(user=user, question="One?")
    assert [services.answer_claim(turn.answer.pk) for _ in range(3)] == [True, False, False]


def test_a_finished_answer_is_stored_with_its_citations(user: User, chunk: Chunk) -> None:
    turn = services.turn_start(user=user, question="One?")
    services.answer_claim(turn.answer.pk)
    services.answer_finish(turn.answer.pk, finished(chunk))
    scope = AccessScope(frozenset({str(chunk.document.collection_id)}))
    body = answer_body(services.answer_get(turn.answer.pk, owner=user), scope=scope, base_url="http://x")
    assert body["answer"] == "25 days. [1]"
    assert body["citations"] == [
        {
            "n": 1,
            "document_id": str(chunk.document_id),
            "title": "Leave",
            "page": 3,
            "place": "",
            "quote": "25 days.",
            "score": 0.71,
            "url": f"http://x/sources/{chunk.pk}",
        }
    ]
    assert (body["route"]["verdict"], body["route"]["model"]) == ("inside", "qwen")
    assert body["route"]["signals"][0]["finding"] == "deny"
    assert body["usage"] == {"prompt_tokens": 10, "completion_tokens": 3, "cached_tokens": 0}
    assert body["timings"] == {"total": 1.235}


def test_a_right_taken_away_takes_its_quotes_along(user: User, chunk: Chunk) -> None:
    turn = services.turn_start(user=user, question="One?")
    services.answer_finish(turn.answer.pk, finished(chunk))
    body = answer_body(services.answer_get(turn.answer.pk, owner=user), scope=AccessScope(frozenset()))
    assert (body["citations"], body["nearest"]) == ([], [])


def read_answer(user: User, chunk: Chunk) -> Message:
    turn = services.turn_start(user=user, question="One?")
    services.answer_claim(turn.answer.pk)
    answer = finished(chunk)
    services.answer_reads(turn.answer.pk, [source.passage for source in answer.sources])
    services.answer_finish(turn.answer.pk, answer)
    return services.answer_get(turn.answer.pk, owner=user)


def test_a_right_taken_away_takes_the_words_along(user: User, chunk: Chunk) -> None:
    answer = read_answer(user, chunk)
    may = answer_body(answer, scope=AccessScope(frozenset({str(chunk.document.collection_id)})))
    may_not = answer_body(answer, scope=AccessScope(frozenset()))
    assert (may["answer"], may["withdrawn"]) == ("25 days. [1]", False)
    assert (may_not["answer"], may_not["withdrawn"]) == ("", True)


def test_the_words_of_an_answer_go_with_its_deleted_document(user: User, chunk: Chunk) -> None:
    answer, scope = read_answer(user, chunk), AccessScope(frozenset({str(chunk.document.collection_id)}))
    Document.objects.filter(pk=chunk.document_id).update(state=DocumentState.DELETING)
    assert answer_body(services.answer_get(answer.pk, owner=user), scope=scope)["withdrawn"]
    chunk.document.delete()
    assert answer_body(services.answer_get(answer.pk, owner=user), scope=scope)["withdrawn"]
    assert services.answers_forget() == 1
    assert Message.objects.get(pk=answer.pk).text == ""


def test_the_words_of_an_answer_go_with_a_document_that_it_only_quotes(user: User, chunk: Chunk) -> None:
    turn = services.turn_start(user=user, question="One?")
    services.answer_finish(turn.answer.pk, finished(chunk))
    answer = services.answer_get(turn.answer.pk, owner=user)
    assert not answer.is_withdrawn_from(AccessScope(frozenset({str(chunk.document.collection_id)})))
    assert answer.is_withdrawn_from(AccessScope(frozenset()))
    chunk.document.delete()
    assert services.answers_forget() == 1


def test_an_answer_that_quotes_what_was_deleted_meanwhile_is_withdrawn(user: User, chunk: Chunk) -> None:
    turn, ended = services.turn_start(user=user, question="One?"), finished(chunk)
    scope = AccessScope(frozenset({str(chunk.document.collection_id)}))
    chunk.document.delete()
    services.answer_finish(turn.answer.pk, ended)
    assert services.answer_get(turn.answer.pk, owner=user).is_withdrawn_from(scope)


def test_a_stopped_answer_is_tied_to_what_the_model_was_given(user: User, chunk: Chunk) -> None:
    turn = services.turn_start(user=user, question="One?")
    services.answer_claim(turn.answer.pk)
    services.answer_reads(turn.answer.pk, [source.passage for source in finished(chunk).sources])
    services.answer_stop(turn.answer.pk, text="25 da")
    body = answer_body(services.answer_get(turn.answer.pk, owner=user), scope=AccessScope(frozenset()))
    assert (body["answer"], body["withdrawn"]) == ("", True)


def test_an_answer_raises_its_conversations_label_and_nothing_lowers_it(user: User, chunk: Chunk) -> None:
    turn = services.turn_start(user=user, question="One?")
    services.answer_finish(turn.answer.pk, finished(chunk))
    services.raise_label(turn.conversation.pk, Label.PUBLIC)
    turn.conversation.refresh_from_db()
    assert turn.conversation.label == Label.CONFIDENTIAL


def test_a_document_deleted_while_the_answer_was_written_is_not_cited(user: User, chunk: Chunk) -> None:
    answer = finished(chunk)
    chunk.document.delete()
    turn = services.turn_start(user=user, question="One?")
    services.answer_finish(turn.answer.pk, answer)
    assert not Citation.objects.exists()
    assert services.answer_get(turn.answer.pk, owner=user).text == "25 days. [1]"


def test_the_quotes_of_a_deleted_document_are_gone(user: User, chunk: Chunk) -> None:
    turn = services.turn_start(user=user, question="One?")
    services.answer_finish(turn.answer.pk, finished(chunk))
    chunk.document.delete()
    assert not Citation.objects.exists()


def test_a_stopped_answer_keeps_its_words(user: User) -> None:
    turn = services.turn_start(user=user, question="One?")
    services.answer_claim(turn.answer.pk)
    services.answer_stop(turn.answer.pk, text="25 da")
    answer = services.answer_get(turn.answer.pk, owner=user)
    assert (answer.state, answer.text) == (AnswerState.STOPPED, "25 da")


def test_a_late_failure_does_not_overwrite_a_finished_answer(user: User, chunk: Chunk) -> None:
    turn = services.turn_start(user=user, question="One?")
    services.answer_claim(turn.answer.pk)
    services.answer_finish(turn.answer.pk, finished(chunk))
    services.answer_fail(turn.answer.pk, code="model_unavailable", text="")
    assert services.answer_get(turn.answer.pk, owner=user).state == AnswerState.FINISHED


def test_an_answer_whose_process_is_gone_fails_after_a_while(user: User) -> None:
    turn = services.turn_start(user=user, question="One?")
    services.answer_claim(turn.answer.pk)
    assert services.answers_expire() == 0
    Message.objects.filter(pk=turn.answer.pk).update(claimed_at=timezone.now() - timedelta(hours=1))
    assert services.answers_expire() == 1
    assert services.answer_get(turn.answer.pk, owner=user).error_code == "answer_interrupted"


def test_an_answer_that_nobody_came_to_read_fails_after_a_while(user: User) -> None:
    turn = services.turn_start(user=user, question="One?")
    Message.objects.filter(pk=turn.answer.pk).update(created_at=timezone.now() - timedelta(hours=1))
    assert services.answers_expire() == 1


def test_a_renamed_conversation_keeps_a_title(user: User) -> None:
    conversation = services.turn_start(user=user, question="One?").conversation
    services.conversation_rename(conversation, title=" Leave \n days ")
    services.conversation_rename(conversation, title="   ")
    conversation.refresh_from_db()
    assert conversation.title == "Leave days"


def test_a_document_that_is_purged_while_an_answer_is_loaded_breaks_nothing(user: User, chunk: Chunk) -> None:
    scope = AccessScope(frozenset({str(chunk.document.collection_id)}))
    turn = services.turn_start(user=user, question="How many days?")
    services.answer_finish(turn.answer.pk, finished(chunk))

    def purged_before_documents_are_asked_for(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith("SELECT") and 'FROM "ingestion_document"' in sql:
            # What a query of its own would find, once the purge is through.
            sql = f"SELECT * FROM ({sql}) LIMIT 0"  # noqa: S608 - the query that Django wrote
        return execute(sql, *rest)

    with connection.execute_wrapper(purged_before_documents_are_asked_for):
        answer = services.answer_get(turn.answer.pk, owner=user)
        assert [citation.title for citation in answer.citations_within(scope)] == ["Leave"]
