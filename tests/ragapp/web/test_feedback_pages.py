"""Thumbs under an answer, the inbox, and what a question is limited to, in the browser's pages."""

import pytest

from ingestion.models import Document, DocumentState
from ragapp.chat.models import AnswerState, Feedback, FoundPassage, Message, Reading, Role
from tests.ragapp.web.world import HTMX, World, browser_of


def address(answer: Message) -> str:
    return f"/chat/answers/{answer.pk}/feedback"


def said(world: World, **fields: str) -> Feedback:
    values = {"thumb": "down", "reason": "wrong", "text": "It is ten weeks."} | fields
    return Feedback.objects.create(message=world.answer, author=world.reader, **values)


def read_and_found(answer: Message, document: Document, *, reason: str = "") -> None:
    Reading.objects.create(message=answer, document=document)
    FoundPassage.objects.create(
        message=answer,
        document=document,
        chunk=document.chunks.get(),
        rank=answer.found.count() + 1,
        title=document.title,
        score=0.66,
        dense=0.6,
        sparse=None,
        reason=reason,
    )


def test_a_thumb_asks_and_says_who_will_see_it(world: World) -> None:
    page = browser_of(world.reader).get(address(world.answer) + "?thumb=down", headers=HTMX).content.decode()
    assert "Admins will see your name, this question, its answer" in page
    assert page.count('type="radio"') == 7
    assert 'maxlength="1000"' in page


def test_feedback_is_kept_changed_and_taken_back(world: World) -> None:
    browser = browser_of(world.reader)
    told = browser.post(address(world.answer), {"thumb": "down", "reason": "wrong", "text": "Ten."}, headers=HTMX)
    assert "You called this answer not good" in told.content.decode()
    Feedback.objects.update(state="done")
    browser.post(address(world.answer), {"thumb": "up", "text": ""}, headers=HTMX)
    given = Feedback.objects.get()
    assert (given.thumb, given.reason, given.state) == ("up", "", "new")
    assert "You called this answer good" in browser.get(f"/chat/{world.conversation.pk}").content.decode()
    browser.post(address(world.answer) + "/take-back", headers=HTMX)
    assert not Feedback.objects.exists()


def test_it_works_without_a_script(world: World) -> None:
    sent = browser_of(world.reader).post(address(world.answer), {"thumb": "up"})
    assert sent["Location"] == f"/chat/{world.conversation.pk}#answer-{world.answer.pk}"


@pytest.mark.parametrize(
    "sent",
    [
        {"thumb": "down"},
        {"thumb": "down", "reason": "nonsense"},
        {"thumb": "up", "reason": "wrong"},
        {"thumb": "up", "text": "x" * 1_001},
    ],
)
def test_what_cannot_be_said_so_is_told_in_the_dialog(world: World, sent: dict[str, str]) -> None:
    response = browser_of(world.reader).post(address(world.answer), sent, headers=HTMX)
    assert (response.status_code, response["HX-Retarget"]) == (422, "#dialog")
    assert 'role="alert"' in response.content.decode()
    assert not Feedback.objects.exists()


def test_an_unfinished_answer_takes_none(world: World) -> None:
    Message.objects.filter(pk=world.answer.pk).update(state=AnswerState.STOPPED)
    browser = browser_of(world.reader)
    assert "thumb-up" not in browser.get(f"/chat/{world.conversation.pk}").content.decode()
    assert browser.post(address(world.answer), {"thumb": "up"}, headers=HTMX).status_code == 422


def test_only_the_owner_gives_feedback(world: World) -> None:
    for other in (world.admin, world.stranger):
        assert browser_of(other).post(address(world.answer), {"thumb": "up"}).status_code == 404
    assert not Feedback.objects.exists()


def test_the_inbox_is_for_admins(world: World) -> None:
    given = said(world)
    assert browser_of(world.reader).get("/feedback").status_code == 403
    assert browser_of(world.reader).post(f"/feedback/{given.pk}", {"state": "done"}).status_code == 403


def test_the_inbox_shows_question_answer_and_what_was_found(world: World) -> None:
    said(world)
    read_and_found(world.answer, world.leave)
    page = browser_of(world.admin).get("/feedback").content.decode()
    for words in ("How long?", "Twelve weeks on full pay.", "It is wrong", "It is ten weeks.", "leave.md", "rae"):
        assert words in page


def test_what_an_admin_may_not_read_shows_no_word(world: World) -> None:
    said(world)
    read_and_found(world.answer, world.leave)
    Document.objects.filter(pk=world.leave.pk).update(state=DocumentState.DELETING)
    page = browser_of(world.admin).get("/feedback").content.decode()
    assert "It is wrong" in page
    for words in ("How long?", "Twelve weeks", "It is ten weeks.", "leave.md"):
        assert words not in page


def test_the_inbox_is_filtered_and_a_filter_that_does_not_exist_is_not_found(world: World) -> None:
    said(world)
    admin = browser_of(world.admin)
    assert "It is ten weeks." in admin.get("/feedback?state=new&thumb=down").content.decode()
    assert "It is ten weeks." not in admin.get("/feedback?thumb=up").content.decode()
    assert admin.get("/feedback?state=nonsense").status_code == 404


def test_feedback_moves_from_state_to_state(world: World) -> None:
    given, admin = said(world), browser_of(world.admin)
    assert "Looked at" in admin.post(f"/feedback/{given.pk}", {"state": "seen"}, headers=HTMX).content.decode()
    assert admin.post(f"/feedback/{given.pk}", {"state": "done"})["Location"] == "/feedback"
    given.refresh_from_db()
    assert given.state == "done"
    assert admin.post(f"/feedback/{given.pk}", {"state": "nonsense"}).status_code == 422


def test_an_answer_tells_what_was_found_as_far_as_it_may_be_read(world: World) -> None:
    Message.objects.filter(pk=world.answer.pk).update(
        route={"verdict": "inside", "reason": "It stays.", "model": "m", "signals": []}, asked="How long is leave?"
    )
    read_and_found(world.answer, world.leave)
    FoundPassage.objects.create(
        message=world.answer, document=world.secret, rank=9, title="secret.md", score=0.1, dense=0.1, reason="outranked"
    )
    page = browser_of(world.reader).get(f"/chat/{world.conversation.pk}").content.decode()
    assert "Given to the model." in page
    assert "How long is leave?" in page
    assert "secret.md" not in page


def test_a_question_is_limited_and_says_so(world: World) -> None:
    sent = {
        "question": "How long?",
        "conversation": str(world.conversation.pk),
        "limit_collection": str(world.handbook.pk),
        "limit_format": "Markdown",
        "limit_since": "2024-05-01",
    }
    browser = browser_of(world.reader)
    words = "Only in: Handbook, Markdown, since 1 May 2024"
    assert words in browser.post("/chat/questions", sent, headers=HTMX).content.decode()
    page = browser.get(f"/chat/{world.conversation.pk}").content.decode()
    assert words in page
    assert f'value="{world.handbook.pk}" checked' in page, "it stays chosen"
    assert 'name="limit_since" value="2024-05-01"' in page


@pytest.mark.parametrize(
    ("given", "sentence", "status"),
    [
        ({"limit_collection": "no-id"}, "There is no such collection.", 404),
        ({"limit_format": "Sculpture"}, "No document can be of this type.", 422),
        ({"limit_language": "zz"}, "There is no such language.", 422),
        ({"limit_since": "soon"}, "This is no date.", 422),
        ({"limit_since": "2024-05-02", "limit_until": "2024-05-01"}, "ends before it begins", 422),
    ],
)
def test_a_limit_that_is_wrong_is_told_and_nothing_is_asked(
    world: World, given: dict[str, str], sentence: str, status: int
) -> None:
    browser = browser_of(world.reader)
    told = browser.post("/chat/questions", {"question": "Why?"} | given, headers=HTMX)
    assert (told.status_code, told["HX-Retarget"]) == (422, "#composer-error")
    assert sentence in told.content.decode()
    page = browser.post("/chat/questions", {"question": "Why?"} | given)
    assert page.status_code == status
    assert sentence in page.content.decode()
    assert not Message.objects.filter(role=Role.QUESTION, text="Why?").exists()


def test_a_hidden_collection_is_neither_offered_nor_taken(world: World) -> None:
    browser = browser_of(world.reader)
    assert "Vault" not in browser.get("/").content.decode()
    sent = {"question": "Why?", "limit_collection": str(world.vault.pk)}
    assert browser.post("/chat/questions", sent).status_code == 404
