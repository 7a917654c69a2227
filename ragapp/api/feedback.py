"""What readers think of answers: theirs to give, an admin's to read."""

from datetime import datetime
from typing import Annotated, Literal, get_args

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from ingestion.access import AccessScope
from ingestion.selectors import scope_for
from ragapp.api.auth import caller_of, require_admin
from ragapp.api.errors import documented
from ragapp.api.schemas import CitationOut, FoundOut, Id, Input, Paging, base_url_of, storable
from ragapp.chat.errors import FeedbackNotFoundError
from ragapp.chat.feedback import (
    feedback_all,
    feedback_get,
    feedback_give,
    feedback_move,
    feedback_take_back,
    inbox_entry,
)
from ragapp.chat.models import FEEDBACK_TEXT_LIMIT, Complaint, Feedback, FeedbackState, Thumb
from ragapp.chat.schema import citation_body, found_body
from ragapp.chat.services import answer_get

router = Router(tags=["feedback"])

ThumbName = Literal["up", "down"]
ReasonName = Literal[
    "wrong",
    "incomplete",
    "not_in_source",
    "source_at_fault",
    "should_have_answered",
    "should_have_refused",
    "other",
]
FeedbackStateName = Literal["new", "seen", "done"]
_REASONS = ", ".join(f"`{value}` ({label})" for value, label in Complaint.choices)


class FeedbackIn(Input):
    """What you think of an answer. Admins see your name, the question, the answer and this."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"thumb": "down", "reason": "incomplete", "text": "Part-timers are missing."}]}
    )

    thumb: ThumbName
    reason: Annotated[ReasonName | None, Field(description=f"With `down`, and only there: {_REASONS}.")] = None
    text: Annotated[str, Field(json_schema_extra={"maxLength": FEEDBACK_TEXT_LIMIT}), AfterValidator(storable)] = ""


class FeedbackOut(BaseModel):
    """What a person thinks of an answer. A change makes it `new` again."""

    id: Id
    answer_id: Id
    thumb: ThumbName
    reason: ReasonName | None
    text: str
    state: Annotated[FeedbackStateName, Field(description="How far an admin is with it.")]
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, feedback: Feedback) -> "FeedbackOut":
        """From a row."""
        return cls.model_validate(
            {
                "id": str(feedback.pk),
                "answer_id": str(feedback.message_id),
                "thumb": feedback.thumb,
                "reason": feedback.reason or None,
                "text": feedback.text,
                "state": feedback.state,
                "created_at": feedback.created_at,
                "updated_at": feedback.updated_at,
            }
        )


class InboxItemOut(FeedbackOut):
    """Feedback with what it is about, as far as your own rights reach."""

    author: Annotated[str, Field(description="User name.")]
    question: str
    answer: str
    refused: bool
    withdrawn: Annotated[
        bool,
        Field(description="A document behind it is gone, or hidden from you: question, answer and text are empty."),
    ]
    asked: Annotated[str | None, Field(description="What was searched for, where it is not the question.")]
    citations: list[CitationOut]
    found: list[FoundOut]

    @classmethod
    def within(cls, feedback: Feedback, *, scope: AccessScope, base_url: str) -> "InboxItemOut":
        """From a row of `feedback_all`."""
        entry, answer = inbox_entry(feedback, scope=scope), feedback.message
        values = FeedbackOut.of(feedback).model_dump() | {
            "text": entry.text,
            "author": feedback.author.username,
            "question": entry.question,
            "answer": entry.answer,
            "refused": answer.refused,
            "withdrawn": entry.withdrawn,
            "asked": answer.asked_within(scope) or None,
            "citations": [citation_body(c, base_url=base_url) for c in answer.citations_within(scope) if not c.nearest],
            "found": [found_body(found, base_url=base_url) for found in answer.found_within(scope)],
        }
        return cls.model_validate(values)


class FeedbackPage(BaseModel):
    """A part of a list; `count` is of the whole."""

    items: list[InboxItemOut]
    count: int


class FeedbackPaging(Paging):
    """Which part of the inbox, and of which kind."""

    state: Annotated[
        FeedbackStateName | None, WithJsonSchema({"type": "string", "enum": get_args(FeedbackStateName)})
    ] = None
    thumb: Annotated[ThumbName | None, WithJsonSchema({"type": "string", "enum": get_args(ThumbName)})] = None


class FeedbackStateIn(Input):
    """Where it goes."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"state": "done"}]})

    state: FeedbackStateName


@router.get("/answers/{answer_id}/feedback", **documented({200: FeedbackOut}, "answer_not_found", "feedback_not_found"))
def get_feedback(request: HttpRequest, answer_id: Id) -> FeedbackOut:
    """What you said about an answer of yours."""
    user = caller_of(request)
    given = Feedback.objects.filter(message=answer_get(answer_id, owner=user), author=user).first()
    if given is None:
        raise FeedbackNotFoundError(answer_id)
    return FeedbackOut.of(given)


@router.put(
    "/answers/{answer_id}/feedback",
    **documented(
        {200: FeedbackOut},
        "answer_not_found",
        "answer_unfinished",
        "feedback_reason",
        "feedback_too_long",
        "invalid_request",
        "request_too_large",
    ),
)
def put_feedback(request: HttpRequest, answer_id: Id, body: FeedbackIn) -> FeedbackOut:
    """Say what you think of an answer of yours, or say it anew. Admins will see it with question and answer."""
    user = caller_of(request)
    answer = answer_get(answer_id, owner=user)
    given = feedback_give(answer, author=user, thumb=Thumb(body.thumb), reason=body.reason or "", text=body.text)
    return FeedbackOut.of(given)


@router.delete("/answers/{answer_id}/feedback", **documented({204: None}, "answer_not_found", "feedback_not_found"))
def delete_feedback(request: HttpRequest, answer_id: Id) -> HttpResponse:
    """Take it back. Nothing is left of it in the inbox."""
    user = caller_of(request)
    if not feedback_take_back(answer_get(answer_id, owner=user), author=user):
        raise FeedbackNotFoundError(answer_id)
    return HttpResponse(status=204)


@router.get("/feedback", **documented({200: FeedbackPage}, "not_allowed", "invalid_request"))
def list_feedback(request: HttpRequest, paging: Query[FeedbackPaging]) -> FeedbackPage:
    """What people think of their answers, the latest first. Admins only."""
    user = caller_of(request)
    require_admin(user)
    found = feedback_all(state=paging.state or "", thumb=paging.thumb or "")
    part = found[paging.offset : paging.offset + paging.limit]
    scope, base_url = scope_for(user), base_url_of(request)
    items = [InboxItemOut.within(feedback, scope=scope, base_url=base_url) for feedback in part]
    return FeedbackPage(items=items, count=found.count())


@router.patch(
    "/feedback/{feedback_id}",
    **documented({200: InboxItemOut}, "not_allowed", "feedback_not_found", "invalid_request", "request_too_large"),
)
def change_feedback(request: HttpRequest, feedback_id: Id, body: FeedbackStateIn) -> InboxItemOut:
    """Say how far you are with it. Admins only."""
    user = caller_of(request)
    require_admin(user)
    feedback = feedback_get(feedback_id)
    feedback_move(feedback, state=FeedbackState(body.state))
    return InboxItemOut.within(feedback, scope=scope_for(user), base_url=base_url_of(request))
