"""What was found for an answer is kept with it, and goes with its document."""

from uuid import uuid4

import pytest

from ingestion.access import AccessScope
from ingestion.models import Chunk, Collection, Document, DocumentState
from ragapp.accounts.models import User
from ragapp.answering.base import Dropped, Passage, PastTurn, Reason, SourcesFound
from ragapp.chat import services
from ragapp.chat.models import FoundPassage, Message
from ragapp.chat.schema import answer_body

pytestmark = pytest.mark.django_db


@pytest.fixture
def user() -> User:
    return User.objects.create_user("ann")


def chunk_of(name: str) -> Chunk:
    document = Document.objects.create(
        collection=Collection.objects.create(name=name),
        name=name,
        title=name,
        sha256=uuid4().hex * 2,
        size=1,
        state=DocumentState.READY,
        live_version=1,
        chunk_count=1,
    )
    return Chunk.objects.create(id=uuid4(), document=document, ordinal=0, text="25 days.", start=0, end=8)


def passage(chunk: Chunk, *, dense: float = 0.7, sparse: float | None = 3.2) -> Passage:
    return Passage(
        chunk_id=str(chunk.pk),
        document_id=str(chunk.document_id),
        collection_id=str(chunk.document.collection_id),
        title=chunk.document.title,
        text=chunk.text,
        label=0,
        page=3,
        score=0.8,
        dense=dense,
        sparse=sparse,
    )


def scope_of(*chunks: Chunk) -> AccessScope:
    return AccessScope(frozenset(str(chunk.document.collection_id) for chunk in chunks))


def found_for(user: User, found: SourcesFound, *, question: str = "How many?") -> Message:
    turn = services.turn_start(user=user, question=question)
    services.answer_found(turn.answer.pk, found)
    return services.answer_get(turn.answer.pk, owner=user)


def test_what_was_given_and_what_was_dropped_is_kept_in_order(user: User) -> None:
    leave, pay = chunk_of("leave"), chunk_of("pay")
    answer = found_for(
        user,
        SourcesFound(
            asked="How many?",
            passages=(passage(leave),),
            dropped=(Dropped(passage(pay, dense=0.2, sparse=None), Reason.OUTRANKED),),
        ),
    )
    body = answer_body(answer, scope=scope_of(leave, pay), base_url="http://x")
    assert body["asked"] is None
    assert body["found"] == [
        {
            "document_id": str(leave.document_id),
            "title": "leave",
            "page": 3,
            "place": "",
            "heading": "",
            "score": 0.8,
            "dense": 0.7,
            "sparse": 3.2,
            "by": ["meaning", "words"],
            "given": True,
            "reason": None,
            "url": f"http://x/sources/{leave.pk}",
        },
        {
            "document_id": str(pay.document_id),
            "title": "pay",
            "page": 3,
            "place": "",
            "heading": "",
            "score": 0.8,
            "dense": 0.2,
            "sparse": None,
            "by": ["meaning"],
            "given": False,
            "reason": "outranked",
            "url": f"http://x/sources/{pay.pk}",
        },
    ]


def test_a_far_passage_that_shares_words_was_found_by_words_alone(user: User) -> None:
    leave = chunk_of("leave")
    answer = found_for(user, SourcesFound(asked="How many?", passages=(passage(leave, dense=0.1),)))
    assert answer.found.get().arms == ("words",)


def test_no_more_than_twelve_dropped_passages_are_kept(user: User) -> None:
    leave = chunk_of("leave")
    dropped = (Dropped(passage(leave), Reason.CROWDED),) * 20
    found_for(user, SourcesFound(asked="How many?", passages=(passage(leave),), dropped=dropped))
    assert FoundPassage.objects.exclude(reason="").count() == 12


def test_only_what_the_reader_may_read_now_is_told(user: User) -> None:
    leave, pay = chunk_of("leave"), chunk_of("pay")
    answer = found_for(user, SourcesFound(asked="How many?", passages=(passage(leave), passage(pay))))
    assert [found["title"] for found in answer_body(answer, scope=scope_of(pay))["found"]] == ["pay"]


def test_what_was_found_goes_with_its_document(user: User) -> None:
    leave = chunk_of("leave")
    answer = found_for(user, SourcesFound(asked="How many?", passages=(passage(leave),)))
    Document.objects.filter(pk=leave.document_id).update(state=DocumentState.DELETING)
    again = services.answer_get(answer.pk, owner=user)
    assert answer_body(again, scope=scope_of(leave))["found"] == []
    leave.document.delete()
    assert not FoundPassage.objects.exists()


def test_a_document_that_is_deleted_meanwhile_is_not_noted(user: User) -> None:
    leave = chunk_of("leave")
    gone = passage(leave)
    leave.document.delete()
    found_for(user, SourcesFound(asked="How many?", passages=(gone,)))
    assert not FoundPassage.objects.exists()


def test_a_passage_that_was_read_anew_stays_without_its_place(user: User) -> None:
    leave = chunk_of("leave")
    answer = found_for(user, SourcesFound(asked="How many?", passages=(passage(leave),)))
    leave.delete()
    (found,) = answer_body(services.answer_get(answer.pk, owner=user), scope=scope_of(leave))["found"]
    assert (found["title"], found["url"]) == ("leave", None)


def test_what_was_searched_for_is_told_as_long_as_what_it_rests_on_may_be_read(user: User) -> None:
    leave, pay = chunk_of("leave"), chunk_of("pay")
    first = services.turn_start(user=user, question="What is secret?")
    services.answer_found(first.answer.pk, SourcesFound(asked="What is secret?", passages=(passage(pay),)))
    second = services.turn_start(user=user, question="And of that?", conversation=first.conversation)
    services.answer_found(
        second.answer.pk,
        SourcesFound(asked="How much of 12,000?", passages=(passage(leave),)),
        rests_on=[first.answer.pk],
    )
    answer = services.answer_get(second.answer.pk, owner=user)
    assert answer_body(answer, scope=scope_of(leave, pay))["asked"] == "How much of 12,000?"
    assert answer_body(answer, scope=scope_of(leave))["asked"] is None
    pay.document.delete()
    services.answers_forget()
    assert Message.objects.get(pk=answer.pk).asked == ""


def test_many_answers_with_what_was_found_take_a_fixed_number_of_queries(
    user: User, django_assert_max_num_queries: object
) -> None:
    leave = chunk_of("leave")
    conversation = services.turn_start(user=user, question="One?").conversation
    for number in range(4):
        turn = services.turn_start(user=user, question=f"{number}?", conversation=conversation)
        services.answer_found(turn.answer.pk, SourcesFound(asked="Other words?", passages=(passage(leave),)))
        services.answer_claim(turn.answer.pk)
        services.answer_stop(turn.answer.pk, text="")
        Message.objects.filter(pk=turn.answer.pk).update(state="stopped")
    with django_assert_max_num_queries(6):  # type: ignore[operator]
        for message in services.with_sources(conversation.messages.all()):
            answer_body(message, scope=scope_of(leave))


def answered(user: User, chunk: Chunk, *, refused: bool = False) -> services.Turn:
    turn = services.turn_start(user=user, question="What is the pay?")
    services.answer_found(turn.answer.pk, SourcesFound(asked="What is the pay?", passages=(passage(chunk),)))
    Message.objects.filter(pk=turn.answer.pk).update(state="finished", text="It is 12.", refused=refused)
    return turn


def followed_up(user: User, first: services.Turn, chunk: Chunk, *, before: list[PastTurn], asked: str) -> Message:
    """A follow-up that was rewritten from these turns, answered from `chunk`."""
    turn = services.turn_start(user=user, question="And of it?", conversation=first.conversation)
    services.answer_found(
        turn.answer.pk,
        SourcesFound(asked=asked, passages=(passage(chunk),)),
        rests_on=[each.answer_id for each in before if each.answer_id],
    )
    Message.objects.filter(pk=turn.answer.pk).update(state="finished", text=f"{asked} 25 days.")
    return services.answer_get(turn.answer.pk, owner=user)


def history_of(user: User, first: services.Turn, scope: AccessScope) -> list[PastTurn]:
    asked = services.turn_start(user=user, question="And of it?", conversation=first.conversation)
    before = services.history_before(asked.question, scope=scope)
    asked.question.delete()
    asked.answer.delete()
    return before


def test_an_answer_that_may_not_be_read_any_more_is_no_history_and_takes_no_later_one_along(user: User) -> None:
    pay, leave = chunk_of("pay"), chunk_of("leave")
    first = answered(user, pay)
    before = history_of(user, first, scope_of(leave))
    assert before == [PastTurn("What is the pay?")]
    assert not followed_up(user, first, leave, before=before, asked="And the pay?").is_withdrawn_from(scope_of(leave))


def test_the_near_misses_of_a_refusal_take_no_later_answer_along(user: User) -> None:
    pay, leave = chunk_of("pay"), chunk_of("leave")
    first = answered(user, pay, refused=True)
    before = history_of(user, first, scope_of(pay, leave))
    answer = followed_up(user, first, leave, before=before, asked="And the pay?")
    pay.document.delete()
    services.answers_forget()
    assert Message.objects.get(pk=answer.pk).text == "And the pay? 25 days."


def test_what_was_deleted_while_a_question_was_rewritten_leaves_no_words(user: User) -> None:
    pay, leave = chunk_of("pay"), chunk_of("leave")
    first = answered(user, pay)
    before = history_of(user, first, scope_of(pay, leave))
    assert before[0].answer == "It is 12."
    pay.document.delete()
    answer = followed_up(user, first, leave, before=before, asked="And of the pay of 12?")
    services.answers_forget()
    answer.refresh_from_db()
    assert (answer.asked, answer.text) == ("", "")
