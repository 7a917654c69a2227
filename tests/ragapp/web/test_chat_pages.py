"""Asking and reading in the browser."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from ingestion.models import Collection, DocumentState
from ingestion.services import document_delete
from ragapp.bootstrap import SAMPLE_COLLECTION
from ragapp.chat.models import AnswerState, Conversation, Message, Role
from tests.ragapp.web.world import HTMX, World, answer_in, browser_of, cite, document_in


def page_of(world: World) -> str:
    url = reverse("web:conversation", args=[world.conversation.pk])
    return browser_of(world.reader).get(url).content.decode()


def test_without_the_sample_nothing_is_suggested_that_nobody_could_answer(world: World) -> None:
    page = browser_of(world.reader).get(reverse("web:chat")).content.decode()
    assert "Ask your own documents." in page
    assert '<ul class="examples"' not in page


def test_the_first_page_invites_with_examples(world: World) -> None:
    Collection.objects.create(name=SAMPLE_COLLECTION, everyone=True)
    page = browser_of(world.reader).get(reverse("web:chat")).content.decode()
    assert "Ask your own documents." in page
    assert page.count('<ul class="examples"') == 1


def test_asking_returns_the_question_and_an_article_that_opens_the_stream(world: World) -> None:
    response = browser_of(world.reader).post(reverse("web:ask"), {"question": "How long?"}, headers=HTMX)
    answer = Message.objects.get(role=Role.ANSWER, state=AnswerState.PENDING)
    page = response.content.decode()
    assert f'sse-connect="{reverse("web:answer_stream", args=[answer.pk])}"' in page
    assert response["HX-Push-Url"] == reverse("web:conversation", args=[answer.conversation_id])
    assert "How long?" in page


def test_a_further_question_stays_in_its_conversation(world: World) -> None:
    given = {"question": "And then?", "conversation": str(world.conversation.pk)}
    response = browser_of(world.reader).post(reverse("web:ask"), given, headers=HTMX)
    assert "HX-Push-Url" not in response
    assert Conversation.objects.count() == 1


def test_without_a_script_asking_leads_to_the_conversation(world: World) -> None:
    response = browser_of(world.reader).post(reverse("web:ask"), {"question": "How long?"}, follow=True)
    assert response.status_code == 200
    assert "<noscript>" in response.content.decode()


@pytest.mark.parametrize(
    ("question", "sentence"), [("  ", "Type a question first."), ("x" * 4001, "The question is too long.")]
)
def test_a_question_that_cannot_be_asked_is_refused_with_a_sentence(world: World, question: str, sentence: str) -> None:
    client = browser_of(world.reader)
    fragment = client.post(reverse("web:ask"), {"question": question}, headers=HTMX)
    assert fragment.status_code == 422
    assert sentence in fragment.content.decode()
    assert fragment["HX-Retarget"] == "#composer-error"
    assert sentence in client.post(reverse("web:ask"), {"question": question}).content.decode()


def test_a_question_is_shown_as_text(world: World) -> None:
    given = {"question": "<script>alert(1)</script>", "conversation": str(world.conversation.pk)}
    client = browser_of(world.reader)
    fragment = client.post(reverse("web:ask"), given, headers=HTMX).content.decode()
    for page in (fragment, page_of(world)):
        assert "<script>alert" not in page


def test_a_citation_opens_its_passage(world: World) -> None:
    url = reverse("web:source", args=[world.leave.chunks.get().pk])
    page = page_of(world)
    assert page.count(f'href="{url}"') == 2
    assert "match 0.71" in page


def test_the_source_of_a_deleted_document_is_shown_as_removed_at_once(world: World) -> None:
    document_delete(world.leave)
    assert world.leave.chunks.exists()
    page = page_of(world)
    assert "Source removed" in page
    assert "Twelve weeks.</span>" not in page


def test_a_source_that_the_reader_may_no_longer_read_is_not_quoted(world: World) -> None:
    answer = answer_in(world.conversation, text="The vault says so. [1]")
    cite(answer, world.secret, quote="the combination is 1234")
    page = page_of(world)
    assert "1234" not in page
    assert "Source removed" in page


def test_an_answer_that_is_not_in_the_documents_lists_the_nearest(world: World) -> None:
    answer = answer_in(world.conversation, text="I could not find this in your documents.", refused=True)
    cite(answer, document_in(world.handbook, name="travel.md"), nearest=True)
    page = page_of(world)
    assert "Not in your documents." in page
    assert "travel.md" in page


def test_a_failed_answer_says_why_and_can_be_asked_again(world: World) -> None:
    answer_in(world.conversation, text="", question="Why?", state=AnswerState.FAILED, error_code="model_busy")
    page = page_of(world)
    assert "The language model is busy." in page
    assert 'name="question" value="Why?"' in page


def test_an_answer_without_support_is_marked(world: World) -> None:
    answer_in(world.conversation, text="The moon is made of cheese.")
    assert "No passage supports this answer." in page_of(world)


def test_the_badge_says_where_and_why(world: World) -> None:
    signal = {"name": "switches", "finding": "deny", "evidence": "No outside model is configured."}
    route = {"verdict": "inside", "reason": "Your documents never leave.", "model": "tiny", "signals": [signal]}
    answer_in(world.conversation, text="Yes.", route=route, timings={"retrieve": 0.1, "total": 2.5})
    page = page_of(world)
    for words in ("Answered inside", "tiny", "Your documents never leave.", "No outside model", "whole answer 2.5 s"):
        assert words in page


def test_a_long_conversation_costs_no_more_queries(world: World) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            page_of(world)
        return len(captured)

    before = queries()
    for _ in range(5):
        cite(answer_in(world.conversation, text="Twelve. [1]"), world.leave)
    assert queries() == before


def test_conversations_are_listed_by_day_for_their_owner_alone(world: World) -> None:
    assert "Parental leave" in browser_of(world.reader).get(reverse("web:chat")).content.decode()
    assert "Parental leave" not in browser_of(world.admin).get(reverse("web:chat")).content.decode()


def test_a_conversation_is_renamed_and_deleted(world: World) -> None:
    client = browser_of(world.reader)
    client.post(reverse("web:conversation_rename", args=[world.conversation.pk]), {"title": "Leave <b>"})
    assert "Leave &lt;b&gt;" in page_of(world)
    url = reverse("web:conversation_delete", args=[world.conversation.pk])
    assert "Delete this conversation?" in client.get(url).content.decode()
    client.post(url)
    assert not Conversation.objects.exists()


def test_stopping_before_the_stream_began_settles_the_answer(world: World) -> None:
    client = browser_of(world.reader)
    client.post(reverse("web:ask"), {"question": "How long?"}, headers=HTMX)
    answer = Message.objects.get(state=AnswerState.PENDING)
    page = client.post(reverse("web:answer_stop", args=[answer.pk]), headers=HTMX).content.decode()
    answer.refresh_from_db()
    assert answer.state == AnswerState.STOPPED
    assert "sse-connect" not in page
    assert "Ask again" in page


def test_deleting_documents_hides_them_before_they_are_purged(world: World) -> None:
    document_delete(world.leave)
    world.leave.refresh_from_db()
    assert world.leave.state == DocumentState.DELETING
    assert "leave.md" not in browser_of(world.reader).get(reverse("web:documents")).content.decode()
