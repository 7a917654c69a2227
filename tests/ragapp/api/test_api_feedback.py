"""Feedback and limits in the API."""

import json
from typing import Any

import pytest

from ingestion.models import Document
from ragapp.chat.models import AnswerState, Feedback, Message, Reading, Role
from tests.ragapp.api.test_api_answers import QUESTION, Script, post
from tests.ragapp.api.world import Person, World


@pytest.fixture
def answer(world: World) -> Message:
    found = Message.objects.get(conversation=world.conversation, role=Role.ANSWER)
    Reading.objects.create(message=found, document=world.document)
    return found


def put(person: Person, answer: Message, **body: Any) -> Any:
    address = f"/api/v1/answers/{answer.pk}/feedback"
    return person.client.put(address, data=json.dumps(body), content_type="application/json")


def test_feedback_is_given_changed_and_taken_back(world: World, answer: Message) -> None:
    first = put(world.reader, answer, thumb="down", reason="incomplete", text="Part-timers.").json()
    second = put(world.reader, answer, thumb="up").json()
    assert (first["id"], first["reason"]) == (second["id"], "incomplete")
    assert (second["thumb"], second["reason"], second["text"]) == ("up", None, "")
    address = f"/api/v1/answers/{answer.pk}/feedback"
    assert world.reader.client.get(address).json() == second
    assert world.reader.client.delete(address).status_code == 204
    assert world.reader.client.delete(address).json()["error"]["code"] == "feedback_not_found"


def test_only_the_owner_gives_it(world: World, answer: Message) -> None:
    for person in (world.admin, world.outsider):
        assert put(person, answer, thumb="up").json()["error"]["code"] == "answer_not_found"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"thumb": "down"}, "feedback_reason"),
        ({"thumb": "up", "reason": "wrong"}, "feedback_reason"),
        ({"thumb": "down", "reason": "nonsense"}, "invalid_request"),
        ({"thumb": "up", "text": "x" * 1_001}, "feedback_too_long"),
    ],
)
def test_what_cannot_be_said_so_has_its_code(world: World, answer: Message, body: dict[str, str], code: str) -> None:
    response = put(world.reader, answer, **body)
    assert (response.status_code, response.json()["error"]["code"]) == (422, code)


def test_an_unfinished_answer_takes_none(world: World, answer: Message) -> None:
    Message.objects.filter(pk=answer.pk).update(state=AnswerState.STOPPED)
    response = put(world.reader, answer, thumb="up")
    assert (response.status_code, response.json()["error"]["code"]) == (409, "answer_unfinished")


def test_the_inbox_is_for_admins_and_has_states(world: World, answer: Message) -> None:
    given = put(world.reader, answer, thumb="down", reason="wrong", text="Ten.").json()
    assert world.reader.client.get("/api/v1/feedback").json()["error"]["code"] == "not_allowed"
    page = world.admin.client.get("/api/v1/feedback?state=new&thumb=down").json()
    (item,) = page["items"]
    assert (page["count"], item["question"], item["answer"], item["text"]) == (1, "How long?", "Twelve weeks.", "Ten.")
    assert item["author"] == "rae"
    address = f"/api/v1/feedback/{given['id']}"
    moved = world.admin.client.patch(address, data='{"state": "done"}', content_type="application/json")
    assert moved.json()["state"] == "done"
    assert world.admin.client.get("/api/v1/feedback?state=new").json()["count"] == 0


def test_the_inbox_shows_no_word_of_what_rested_on_a_deleted_document(world: World, answer: Message) -> None:
    put(world.reader, answer, thumb="down", reason="wrong", text="Ten.")
    Document.objects.filter(pk=world.document.pk).delete()
    (item,) = world.admin.client.get("/api/v1/feedback").json()["items"]
    assert item["withdrawn"]
    assert (item["question"], item["answer"], item["text"], item["found"]) == ("", "", "", [])
    assert Feedback.objects.get().reason == "wrong"


@pytest.mark.parametrize(
    "limits",
    [
        {"media_types": ["application/x-sculpture"]},
        {"languages": ["zz"]},
        {"since": "soon"},
        {"since": "2024-05-02T00:00:00Z", "until": "2024-05-01T00:00:00Z"},
    ],
)
@pytest.mark.parametrize("address", ["search", "ask"])
def test_a_limit_that_is_wrong_is_an_error(world: World, address: str, limits: dict[str, Any]) -> None:
    words = {"query": QUESTION} if address == "search" else {"question": QUESTION}
    response = post(world.reader, address, **words, **limits)
    assert (response.status_code, response.json()["error"]["code"]) == (422, "invalid_request")
    assert not Message.objects.filter(text=QUESTION).exists()


def test_a_question_is_answered_within_its_limits_and_tells_them(
    world: World, searchable: Document, script: Script
) -> None:
    script(["Twelve weeks [1]."])
    limits = {"media_types": ["text/markdown"], "collection_ids": [str(world.handbook.pk)]}
    within = post(world.reader, "ask", question=QUESTION, **limits).json()
    assert [found["document_id"] for found in within["found"]] == [str(searchable.pk)]
    assert within["found"][0]["given"] is True
    outside = post(world.reader, "ask", question=QUESTION, media_types=["application/pdf"]).json()
    assert (outside["refused"], outside["found"]) == (True, [])
    whole = world.reader.client.get(f"/api/v1/conversations/{within['conversation_id']}").json()
    assert whole["messages"][0]["limits"]["media_types"] == ["text/markdown"]
