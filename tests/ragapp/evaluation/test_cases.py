"""Cases from answers: what they hold, who sees them, and what goes with a deleted document."""

import pytest

from ingestion.access import AccessScope
from ingestion.models import Document, DocumentState, Label
from ingestion.services import collection_create
from ragapp.accounts.models import User
from ragapp.chat.errors import AnswerNotFoundError
from ragapp.chat.models import AnswerState, Citation, Conversation, Feedback, Message, Reading, Thumb
from ragapp.evaluation import cases
from ragapp.evaluation.errors import CaseNotFoundError, CaseRefusedError, SetNameError
from ragapp.evaluation.models import EvaluationCase
from tests.ragapp.evaluation.world import Gathered, loaded
from tests.ragapp.web.world import answer_in, cite, document_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def gathered() -> Gathered:
    admin = User.objects.create_user("ada", password="correct horse battery", is_staff=True)
    handbook = collection_create(name="Handbook", label=Label.INTERNAL, everyone=True)
    manual = document_in(handbook, name="manual.pdf", label=Label.CONFIDENTIAL)
    conversation = Conversation.objects.create(owner=admin, title="Leave")
    answer = answer_in(conversation, text="Twelve weeks [1], on full pay. [1, 2]", question="How long is leave?")
    cite(answer, manual)
    Citation.objects.update(page=3)
    Reading.objects.create(message=answer, document=manual)
    return Gathered(
        admin=admin,
        reader=User.objects.create_user("rae", password="correct horse battery"),
        handbook=handbook,
        manual=manual,
        answer=answer,
    )


def added(gathered: Gathered, answer: Message | None = None, *, name: str = "hr") -> EvaluationCase:
    case = cases.case_from_answer(
        loaded(answer or gathered.answer), admin=gathered.admin, scope=gathered.scope, set_name=name
    )
    return cases.case_get(case.pk, scope=gathered.scope)


def test_a_case_holds_question_answer_without_markers_and_pages(gathered: Gathered) -> None:
    case = added(gathered, name="  hr \n questions ")
    assert (case.question_set, case.question, case.expected) == (
        "hr questions",
        "How long is leave?",
        "Twelve weeks, on full pay.",
    )
    assert (case.answerable, case.label, case.created_by) == (True, Label.CONFIDENTIAL, gathered.admin)
    assert [target.key for target in case.targets.all()] == [f"{gathered.manual.pk}#page=3"]


def test_the_label_is_the_highest_of_conversation_and_documents(gathered: Gathered) -> None:
    Conversation.objects.update(label=Label.RESTRICTED)
    case = added(gathered)
    Conversation.objects.update(label=Label.PUBLIC)
    Document.objects.update(label=Label.PUBLIC)
    cases.case_change(case, expected="Thirteen.", answerable=True)
    assert EvaluationCase.objects.get().label == Label.RESTRICTED


def test_a_refusal_becomes_a_question_without_an_answer(gathered: Gathered) -> None:
    Message.objects.filter(pk=gathered.answer.pk).update(refused=True, text="I do not know.")
    case = added(gathered)
    assert (case.answerable, case.expected, case.targets.count()) == (False, "", 0)


def test_an_answer_is_in_a_set_once_and_in_another_set_too(gathered: Gathered) -> None:
    assert added(gathered) == added(gathered)
    assert added(gathered, name="other") != added(gathered)
    assert cases.set_names(gathered.scope) == ["other", "hr"]


def test_a_follow_up_keeps_the_question_before_it_of_ones_own_conversation_alone(gathered: Gathered) -> None:
    follow_up = answer_in(gathered.answer.conversation, text="Yes. [1]", question="Also for part-timers?")
    cite(follow_up, gathered.manual)
    assert added(gathered, follow_up).earlier == "How long is leave?"
    other = User.objects.create_user("max", is_staff=True)
    case = cases.case_from_answer(loaded(follow_up), admin=other, scope=gathered.scope, set_name="other")
    assert case.earlier == ""


@pytest.mark.parametrize("state", [AnswerState.STREAMING, AnswerState.STOPPED, AnswerState.FAILED])
def test_an_unfinished_answer_is_no_case(gathered: Gathered, state: AnswerState) -> None:
    Message.objects.filter(pk=gathered.answer.pk).update(state=state)
    with pytest.raises(CaseRefusedError):
        added(gathered)


def test_an_answer_over_what_the_admin_may_not_read_is_no_case(gathered: Gathered) -> None:
    for scope in (AccessScope(frozenset()), gathered.scope):
        if scope == gathered.scope:
            Document.objects.update(state=DocumentState.DELETING)
        with pytest.raises(CaseRefusedError):
            cases.case_from_answer(loaded(gathered.answer), admin=gathered.admin, scope=scope, set_name="hr")
    assert not EvaluationCase.objects.exists()


@pytest.mark.parametrize("name", ["", " \x00", "x" * 201])
def test_a_set_needs_a_name(gathered: Gathered, name: str) -> None:
    with pytest.raises(SetNameError):
        added(gathered, name=name)


def test_another_persons_answer_is_there_to_add_once_it_has_feedback(gathered: Gathered) -> None:
    theirs = answer_in(Conversation.objects.create(owner=gathered.reader, title="x"), text="Yes. [1]")
    with pytest.raises(AnswerNotFoundError):
        cases.answer_to_add(theirs.pk, admin=gathered.admin)
    Feedback.objects.create(message=theirs, author=gathered.reader, thumb=Thumb.UP)
    assert cases.answer_to_add(theirs.pk, admin=gathered.admin) == theirs
    assert cases.answer_to_add(gathered.answer.pk, admin=gathered.admin) == gathered.answer


def test_a_case_is_hidden_from_who_may_not_read_one_of_its_documents(gathered: Gathered) -> None:
    case = added(gathered)
    nothing = AccessScope(frozenset())
    assert not cases.cases_visible_to(nothing).exists()
    assert cases.questions_by_id([str(case.pk)], scope=nothing) == {}
    assert cases.questions_by_id([str(case.pk), "no id"], scope=gathered.scope) == {str(case.pk): case.question}
    with pytest.raises(CaseNotFoundError):
        cases.case_get(case.pk, scope=nothing)


def test_deleting_a_document_takes_targets_and_expected_answer_along(gathered: Gathered) -> None:
    case = added(gathered)
    Document.objects.update(state=DocumentState.DELETING)
    hidden = cases.case_get(case.pk, scope=gathered.scope)
    assert hidden.is_withdrawn
    assert hidden.targets_within(gathered.scope) == []
    assert cases.as_question_set("hr", scope=gathered.scope).questions[0].answers == ()
    gathered.manual.delete()
    assert cases.cases_forget() == 1
    emptied = cases.case_get(case.pk, scope=gathered.scope)
    assert (emptied.expected, emptied.targets.count(), emptied.label) == ("", 0, Label.CONFIDENTIAL)
    assert cases.cases_forget() == 0


def test_what_is_typed_after_a_deletion_stays(gathered: Gathered) -> None:
    case = added(gathered)
    gathered.manual.delete()
    cases.case_change(cases.case_get(case.pk, scope=gathered.scope), expected=" Ten. ", answerable=True)
    assert cases.cases_forget() == 0
    assert cases.case_get(case.pk, scope=gathered.scope).expected == "Ten."


def test_a_case_outlives_the_conversation_it_came_from(gathered: Gathered) -> None:
    added(gathered)
    gathered.answer.conversation.delete()
    assert EvaluationCase.objects.get().origin is None


def test_a_set_is_exported_in_the_folder_format_with_names_of_files(gathered: Gathered) -> None:
    case = added(gathered)
    twin = document_in(gathered.handbook, name="manual.pdf")
    other = answer_in(gathered.answer.conversation, text="No. [1]", question="And?")
    cite(other, twin)
    added(gathered, other)
    folder = cases.as_folder("hr", scope=gathered.scope)
    assert folder.queries[0] == {"id": str(case.pk), "text": case.question, "answers": [case.expected]}
    assert folder.queries[1]["history"] == [{"role": "user", "text": "How long is leave?"}]
    assert folder.qrels[0] == ("query-id", "corpus-id", "score")
    assert folder.qrels[1] == (str(case.pk), f"Handbook/{gathered.manual.pk}/manual.pdf#page=3", "1")
