"""What readers think of answers, and the inbox in which admins read it.

Only the owner of a conversation gives feedback. An admin sees question, answer and text as far as the admin's own
rights reach: what rests on a document that is gone or hidden shows no word of it.
"""

from dataclasses import dataclass

from django.db.models import OuterRef, Prefetch, QuerySet, Subquery

from ingestion.access import AccessScope
from ingestion.selectors import uuid_or_none
from ragapp.accounts.models import User
from ragapp.chat.errors import (
    AnswerUnfinishedError,
    FeedbackNotFoundError,
    FeedbackReasonError,
    FeedbackTooLongError,
)
from ragapp.chat.models import (
    FEEDBACK_TEXT_LIMIT,
    AnswerState,
    Complaint,
    Feedback,
    FeedbackState,
    Message,
    Role,
    Thumb,
)
from ragapp.chat.services import with_sources


@dataclass(frozen=True)
class InboxEntry:
    """Feedback as one admin may see it. `withdrawn`: question, answer and text are empty here, whatever is stored."""

    feedback: Feedback
    question: str
    answer: str
    text: str
    withdrawn: bool


def feedback_give(answer: Message, *, author: User, thumb: Thumb, reason: str = "", text: str = "") -> Feedback:
    """Say it, or say it anew; then it is new to the admins. `answer` is the author's own, from `answer_get`.

    Raises AnswerUnfinishedError, FeedbackReasonError or FeedbackTooLongError.
    """
    if answer.state != AnswerState.FINISHED or (not answer.refused and not answer.text):
        raise AnswerUnfinishedError
    if reason not in (Complaint.values if thumb == Thumb.DOWN else [""]):
        raise FeedbackReasonError
    words = text.replace("\x00", "").replace("\r\n", "\n").strip()
    if len(words) > FEEDBACK_TEXT_LIMIT:
        raise FeedbackTooLongError
    given, _ = Feedback.objects.update_or_create(
        message=answer,
        author=author,
        defaults={"thumb": thumb, "reason": reason, "text": words, "state": FeedbackState.NEW},
    )
    return given


def feedback_take_back(answer: Message, *, author: User) -> bool:
    """False where there was none."""
    removed, _ = Feedback.objects.filter(message=answer, author=author).delete()
    return bool(removed)


def feedback_all(*, state: str = "", thumb: str = "") -> QuerySet[Feedback]:
    """The inbox, the latest first. For admins alone; an empty filter takes all."""
    questions = Message.objects.filter(
        conversation=OuterRef("message__conversation"),
        role=Role.QUESTION,
        created_at__lte=OuterRef("message__created_at"),
    ).order_by("-created_at")
    answers = Prefetch("message", with_sources(Message.objects.all()))
    found = Feedback.objects.select_related("author").prefetch_related(answers)
    found = found.annotate(question=Subquery(questions.values("text")[:1]))
    if state:
        found = found.filter(state=state)
    return found.filter(thumb=thumb) if thumb else found


def feedback_get(feedback_id: object) -> Feedback:
    """One of `feedback_all`. Raises FeedbackNotFoundError."""
    key = uuid_or_none(str(feedback_id))
    found = feedback_all().filter(pk=key).first() if key else None
    if found is None:
        raise FeedbackNotFoundError(str(feedback_id))
    return found


def feedback_move(feedback: Feedback, *, state: FeedbackState) -> None:
    """Into another state; `updated_at` is its author's and stays."""
    Feedback.objects.filter(pk=feedback.pk).update(state=state)
    feedback.state = state


def inbox_entry(feedback: Feedback, *, scope: AccessScope) -> InboxEntry:
    """One of `feedback_all` for an admin with this scope."""
    withdrawn = not feedback.message.rests_within(scope)
    question = getattr(feedback, "question", None) or ""
    return InboxEntry(
        feedback=feedback,
        question="" if withdrawn else question,
        answer="" if withdrawn else feedback.message.text,
        text="" if withdrawn else feedback.text,
        withdrawn=withdrawn,
    )
