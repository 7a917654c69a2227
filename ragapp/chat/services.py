"""What reads and changes conversations. Every look-up takes the owner; another person's is not found."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F, Prefetch, Q, QuerySet
from django.db.models.functions import Greatest
from django.utils import timezone

from ingestion.access import AccessScope
from ingestion.models import Chunk, Document, DocumentState
from ingestion.selectors import uuid_or_none
from ragapp.accounts.models import User
from ragapp.answering.base import AnswerFinished, Passage, Passages, PastTurn, Source, SourcesFound
from ragapp.chat.errors import (
    AnswerNotFoundError,
    ConversationNotFoundError,
    QuestionEmptyError,
    QuestionTooLongError,
    TooManyQuestionsError,
)
from ragapp.chat.limits import NO_LIMITS, Limits
from ragapp.chat.models import (
    AnswerState,
    Citation,
    Conversation,
    Feedback,
    FoundPassage,
    Message,
    Reading,
    Role,
)
from ragapp.chat.schema import route_body, usage_body

QUESTION_LIMIT = 4_000
TITLE_LIMIT = 80
# Of the passages that were found and not given to the model, the best are enough to see why.
DROPPED_KEPT = 12
# The model serves one after the other: nobody may fill the line alone.
ANSWERS_AT_ONCE = 3
# What the model may see of a conversation, before its own budget.
HISTORY_TURNS = 6
# Longer than any answer takes: a claim older than this belongs to a process that is gone.
CLAIM_LIFETIME = timedelta(minutes=10)
# Of a row that was drawn from a document, and outlives it.
DOCUMENT_IS_GONE = Q(document__isnull=True) | Q(document__state=DocumentState.DELETING)


@dataclass(frozen=True)
class Turn:
    """A saved question with its pending answer."""

    conversation: Conversation
    question: Message
    answer: Message


def conversations_of(owner: User) -> QuerySet[Conversation]:
    """A person's conversations, the most recent first."""
    return Conversation.objects.filter(owner=owner)


def conversation_get(conversation_id: str | UUID, *, owner: User) -> Conversation:
    """Raises ConversationNotFoundError."""
    key = uuid_or_none(conversation_id)
    found = conversations_of(owner).filter(pk=key).first() if key else None
    if found is None:
        raise ConversationNotFoundError(str(conversation_id))
    return found


def answer_get(answer_id: str | UUID, *, owner: User) -> Message:
    """An answer with its conversation and citations. Raises AnswerNotFoundError."""
    key = uuid_or_none(answer_id)
    answers = Message.objects.filter(role=Role.ANSWER, conversation__owner=owner)
    found = with_sources(answers).filter(pk=key).first() if key else None
    if found is None:
        raise AnswerNotFoundError(str(answer_id))
    return found


def with_sources(messages: QuerySet[Message]) -> QuerySet[Message]:
    """The messages with what rights are asked of: citations, passages, readings, each with its document in one query.

    In two, a document that is purged in between would leave a citation of nothing.
    """
    return messages.select_related("conversation").prefetch_related(
        Prefetch("citations", Citation.objects.select_related("document")),
        Prefetch("found", FoundPassage.objects.select_related("document")),
        Prefetch("readings", Reading.objects.select_related("document")),
        "feedback",
    )


def question_of(answer: Message) -> Message:
    """The question that an answer belongs to."""
    return (
        Message.objects.filter(
            conversation_id=answer.conversation_id, role=Role.QUESTION, created_at__lte=answer.created_at
        )
        .order_by("-created_at")
        .first()
        or answer
    )


def history_before(question: Message, *, scope: AccessScope) -> list[PastTurn]:
    """The turns before a question, oldest first. What was asked again with the same words is no turn before it.

    An answer that rests on what the person may not read now is left out of its turn.
    """
    before = question.conversation.messages.filter(created_at__lt=question.created_at).order_by("-created_at")
    turns: list[PastTurn] = []
    answer, answer_id = "", None
    for message in with_sources(before)[: 2 * HISTORY_TURNS]:
        if message.role == Role.ANSWER:
            settled = message.state == AnswerState.FINISHED and not message.refused
            answer = message.text if settled and not message.is_withdrawn_from(scope) else ""
            answer_id = message.pk if answer else None
        elif message.text != question.text:
            turns.insert(0, PastTurn(message.text, answer, answer_id))
            answer, answer_id = "", None
    return turns


def turn_start(
    *, user: User, question: str, conversation: Conversation | None = None, limits: Limits = NO_LIMITS
) -> Turn:
    """Save a question and its pending answer. `limits` are checked ones.

    Raises QuestionEmptyError, QuestionTooLongError or TooManyQuestionsError.
    """
    text = question.replace("\x00", "").strip()
    if not text:
        raise QuestionEmptyError
    if len(text) > QUESTION_LIMIT:
        raise QuestionTooLongError(f"{len(text)} characters")
    if _under_way(user) >= ANSWERS_AT_ONCE:
        raise TooManyQuestionsError
    with transaction.atomic():
        if conversation is None:
            conversation = Conversation.objects.create(owner=user, title=_title(text))
        else:
            conversation.save(update_fields=["updated_at"])
        asked = Message.objects.create(conversation=conversation, role=Role.QUESTION, text=text, limits=limits.stored)
        answer = Message.objects.create(conversation=conversation, role=Role.ANSWER, state=AnswerState.PENDING)
    return Turn(conversation=conversation, question=asked, answer=answer)


def conversation_rename(conversation: Conversation, *, title: str) -> None:
    """Give it another title; an empty one changes nothing."""
    cleaned = " ".join(title.replace("\x00", "").split())[:120]
    if cleaned:
        conversation.title = cleaned
        conversation.save(update_fields=["title"])


def conversation_delete(conversation: Conversation) -> None:
    """Remove it with its messages and citations."""
    conversation.delete()


def answer_claim(answer_id: UUID) -> bool:
    """One caller generates: True for the one whose UPDATE moved the answer from PENDING."""
    claimed = Message.objects.filter(pk=answer_id, state=AnswerState.PENDING).update(
        state=AnswerState.STREAMING, claimed_at=timezone.now()
    )
    return bool(claimed)


def answers_expire(*, older_than: timedelta = CLAIM_LIFETIME) -> int:
    """Fail the answers whose process is gone, and those that nobody came to read."""
    before = timezone.now() - older_than
    abandoned = Q(state=AnswerState.STREAMING, claimed_at__lt=before) | Q(
        state=AnswerState.PENDING, created_at__lt=before
    )
    return Message.objects.filter(abandoned).update(state=AnswerState.FAILED, error_code="answer_interrupted")


def answers_interrupt() -> int:
    """For a server that has just started and is alone: whoever wrote an answer is gone."""
    return answers_expire(older_than=timedelta(0))


def answer_reads(answer_id: UUID, passages: Passages) -> None:
    """Note what the model is about to be given, before its first word: the answer's text goes with its sources."""
    documents = {UUID(passage.document_id) for passage in passages}
    if not documents:
        return
    with transaction.atomic():
        alive = Document.objects.filter(pk__in=documents).values_list("pk", flat=True)
        Reading.objects.bulk_create([Reading(message_id=answer_id, document_id=key) for key in alive])
        conversation_id = Message.objects.values_list("conversation_id", flat=True).get(pk=answer_id)
        raise_label(conversation_id, max(passage.label for passage in passages))


def answers_forget() -> int:
    """Blank the words of answers whose sources were deleted: deleted means gone, also from what was written.

    And what may repeat them: what was said about such an answer, and what was searched for.
    """
    answers = Reading.objects.filter(DOCUMENT_IS_GONE).values("message_id")
    Feedback.objects.filter(message__in=answers).exclude(text="").update(text="")
    Message.objects.filter(pk__in=answers).exclude(asked="").update(asked="")
    return Message.objects.filter(pk__in=answers, refused=False).exclude(text="").update(text="")


def answer_found(answer_id: UUID, found: SourcesFound, *, rests_on: Collection[UUID] = ()) -> None:
    """Note what was found for an answer and what was searched for, before the model's first word."""
    answer_reads(answer_id, found.passages)
    answer = Message.objects.select_related("conversation").get(pk=answer_id)
    asked = found.asked.replace("\x00", "").strip()
    if asked != question_of(answer).text.strip():
        Message.objects.filter(pk=answer_id).update(asked=asked)
        _inherit_readings(answer, rests_on)
    passages = [(passage, "") for passage in found.passages]
    passages += [(dropped.passage, dropped.reason.value) for dropped in found.dropped[:DROPPED_KEPT]]
    with transaction.atomic():
        alive = _alive(passage for passage, _ in passages)
        chunks = set(
            Chunk.objects.filter(pk__in=[passage.chunk_id for passage, _ in passages]).values_list("pk", flat=True)
        )
        FoundPassage.objects.bulk_create(
            _found(answer_id, passage, rank=rank, reason=reason, chunks=chunks)
            for rank, (passage, reason) in enumerate(passages, start=1)
            if UUID(passage.document_id) in alive
        )


def _inherit_readings(answer: Message, rests_on: Collection[UUID]) -> None:
    """A question that was rewritten from earlier answers rests on what they rest on, and goes with it."""
    documents = Reading.objects.filter(message__in=rests_on).values_list("document_id", flat=True).distinct()
    Reading.objects.bulk_create([Reading(message=answer, document_id=key) for key in documents], ignore_conflicts=True)


def answer_finish(answer_id: UUID, finished: AnswerFinished) -> None:
    """Store a whole answer with its citations, and raise the conversation's label to its sources'."""
    with transaction.atomic():
        answer = Message.objects.select_for_update().get(pk=answer_id)
        answer.state = AnswerState.FINISHED
        answer.text = finished.text
        answer.refused = finished.refused
        answer.truncated = finished.truncated
        answer.route = route_body(finished.decision)
        answer.usage = usage_body(finished.usage)
        answer.timings = {name: round(seconds, 3) for name, seconds in finished.timings.items()}
        answer.save()
        _cite(answer, finished)


def answer_stop(answer_id: UUID, *, text: str) -> None:
    """Keep what was generated until the person stopped or left."""
    Message.objects.filter(pk=answer_id, state=AnswerState.STREAMING).update(state=AnswerState.STOPPED, text=text)


def answer_fail(answer_id: UUID, *, code: str, text: str) -> None:
    """Keep what was generated and say why it ended."""
    Message.objects.filter(pk=answer_id, state=AnswerState.STREAMING).update(
        state=AnswerState.FAILED, error_code=code, text=text
    )


def raise_label(conversation_id: UUID, label: int) -> None:
    """A conversation's label only ever goes up."""
    Conversation.objects.filter(pk=conversation_id).update(label=Greatest(F("label"), label))


def _cite(answer: Message, finished: AnswerFinished) -> None:
    cited = [(source, False) for source in finished.sources] + [(source, True) for source in finished.nearest]
    if not cited:
        return
    _rest_on(answer, finished.sources)
    raise_label(answer.conversation_id, max(source.passage.label for source, _ in cited))
    alive = _alive(source.passage for source, _ in cited)
    Citation.objects.bulk_create(
        [
            _citation(answer, source, nearest=nearest)
            for source, nearest in cited
            if UUID(source.passage.document_id) in alive
        ]
    )


def _rest_on(answer: Message, sources: Iterable[Source]) -> None:
    """The text may quote a document of which the model was given nothing. One deleted meanwhile leaves an empty reading
    as any other does: the text is withdrawn, and forgotten.
    """
    known = set(Reading.objects.filter(message=answer).values_list("document_id", flat=True))
    quoted = {UUID(source.passage.document_id) for source in sources} - known
    alive = set(Document.objects.filter(pk__in=quoted).values_list("pk", flat=True))
    Reading.objects.bulk_create([Reading(message=answer, document_id=key if key in alive else None) for key in quoted])


def _alive(passages: Iterable[Passage]) -> set[UUID]:
    """The documents of the passages that are still there: one deleted while the answer was made is not noted."""
    documents = Document.objects.filter(pk__in={passage.document_id for passage in passages})
    return set(documents.exclude(state=DocumentState.DELETING).values_list("pk", flat=True))


def _found(answer_id: UUID, passage: Passage, *, rank: int, reason: str, chunks: set[UUID]) -> FoundPassage:
    chunk_id = UUID(passage.chunk_id)
    return FoundPassage(
        message_id=answer_id,
        document_id=passage.document_id,
        chunk_id=chunk_id if chunk_id in chunks else None,
        rank=rank,
        title=passage.title,
        page=passage.page,
        place=passage.place,
        heading=passage.heading,
        score=passage.score,
        dense=passage.dense,
        sparse=passage.sparse,
        reason=reason,
    )


def _citation(answer: Message, source: Source, *, nearest: bool) -> Citation:
    passage = source.passage
    return Citation(
        message=answer,
        n=source.n,
        nearest=nearest,
        document_id=passage.document_id,
        chunk_id=passage.chunk_id,
        title=passage.title,
        page=passage.page,
        place=passage.place,
        heading=passage.heading,
        quote=source.quote,
        score=passage.score,
    )


def _under_way(user: User) -> int:
    return Message.objects.filter(
        conversation__owner=user,
        state__in=(AnswerState.PENDING, AnswerState.STREAMING),
        created_at__gt=timezone.now() - CLAIM_LIFETIME,
    ).count()


def _title(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= TITLE_LIMIT else line[: TITLE_LIMIT - 1].rstrip() + "…"
