"""Conversations, their messages, what an answer was made from, and what its reader thinks of it."""

import uuid

from django.conf import settings
from django.db import models

from ingestion.access import AccessScope
from ingestion.models import Chunk, Document, DocumentState, Label
from ragapp.answering.base import Reason

# Longer than a sentence or two is a conversation, and belongs elsewhere.
FEEDBACK_TEXT_LIMIT = 1_000


class Role(models.TextChoices):
    """Who wrote a message."""

    QUESTION = "question", "Question"
    ANSWER = "answer", "Answer"


class AnswerState(models.TextChoices):
    """PENDING → STREAMING → FINISHED, STOPPED or FAILED. One claim moves PENDING on; a question is FINISHED."""

    PENDING = "pending", "Waiting"
    STREAMING = "streaming", "Answering"
    FINISHED = "finished", "Finished"
    STOPPED = "stopped", "Stopped"
    FAILED = "failed", "Failed"


class Conversation(models.Model):
    """A person's thread. `label` is the highest that it has ever seen, and never goes down."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="conversations")
    title = models.CharField(max_length=120)
    label = models.PositiveSmallIntegerField(choices=Label, default=Label.PUBLIC)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-updated_at"]
        indexes = [models.Index(fields=["owner", "-updated_at"], name="conversation_recent")]

    def __str__(self) -> str:
        return self.title


class Message(models.Model):
    """A question, or the answer to the question before it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="messages")
    role = models.CharField(max_length=8, choices=Role)
    state = models.CharField(max_length=9, choices=AnswerState, default=AnswerState.FINISHED)
    text = models.TextField(blank=True)
    asked = models.TextField(blank=True, help_text="What was searched for, where it is not what was typed.")
    limits = models.JSONField(null=True, blank=True, help_text="Of a question: what its search is limited to.")
    refused = models.BooleanField(default=False, help_text="The documents do not hold the answer.")
    truncated = models.BooleanField(default=False, help_text="The length limit cut the answer.")
    error_code = models.CharField(max_length=40, blank=True)
    route = models.JSONField(null=True, blank=True)
    usage = models.JSONField(null=True, blank=True)
    timings = models.JSONField(null=True, blank=True)
    claimed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["created_at", "id"]

    def __str__(self) -> str:
        return f"{self.role} {self.id}"

    def is_withdrawn_from(self, scope: AccessScope) -> bool:
        """True where the text may hold what this reader may not read, or what was deleted.

        A refusal has words of ours alone. `services.with_sources` loads what is read here.
        """
        return not self.refused and not self.rests_within(scope)

    def rests_within(self, scope: AccessScope) -> bool:
        """True where this reader may read every document that it was made from, near misses of a refusal included."""
        return all(reading.is_within(scope) for reading in self.readings.all())

    def citations_within(self, scope: AccessScope) -> "list[Citation]":
        """Those that this reader may see now. `services.with_sources` loads what is read here."""
        return [citation for citation in self.citations.all() if citation.is_within(scope)]

    def found_within(self, scope: AccessScope) -> "list[FoundPassage]":
        """As `citations_within`: those given to the model first, each kind best first."""
        return [found for found in self.found.all() if found.is_within(scope)]

    def asked_within(self, scope: AccessScope) -> str:
        """What was searched for, or '' where it may hold words of an earlier answer that this reader may not read now.

        What earlier answers were made from is among the readings; a refusal keeps it back as well.
        """
        return self.asked if self.rests_within(scope) else ""

    @property
    def was_model_asked(self) -> bool:
        """False where the search found nothing that speaks to the question: then nobody was given its passages."""
        answered = self.state != AnswerState.FAILED and not self.refused
        return answered or "first_token" in (self.timings or {})


class Reading(models.Model):
    """A document of which the model was given passages for an answer. A deleted document leaves its row, empty."""

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="readings")
    document = models.ForeignKey(Document, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["message", "document"], name="reading_once_per_document")]

    def __str__(self) -> str:
        return f"{self.message_id} read {self.document_id}"

    def is_within(self, scope: AccessScope) -> bool:
        """True where the document exists and this reader may read it."""
        return self.document is not None and _is_readable(self.document, scope)


class Citation(models.Model):
    """The source behind [n]. It goes with its document: deleted means gone, quotes too."""

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="citations")
    n = models.PositiveSmallIntegerField()
    nearest = models.BooleanField(default=False, help_text="Not a source: a near passage under a refusal.")
    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="+")
    chunk = models.ForeignKey(Chunk, null=True, on_delete=models.SET_NULL, related_name="+")
    title = models.CharField(max_length=255)
    page = models.PositiveIntegerField(null=True, blank=True)
    place = models.CharField(max_length=200, blank=True, help_text="Where 'page N' is the wrong word.")
    heading = models.CharField(max_length=500, blank=True)
    quote = models.TextField()
    score = models.FloatField()

    class Meta:
        ordering = ["n"]
        constraints = [models.UniqueConstraint(fields=["message", "n"], name="citation_once_per_number")]

    def __str__(self) -> str:
        return f"[{self.n}] {self.title}"

    def is_within(self, scope: AccessScope) -> bool:
        """True where the source exists and may be read: a right taken away takes its quotes along."""
        return _is_readable(self.document, scope)


class FoundPassage(models.Model):
    """A passage that the search found for an answer, given to the model or dropped. It goes with its document."""

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="found")
    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="+")
    chunk = models.ForeignKey(Chunk, null=True, on_delete=models.SET_NULL, related_name="+")
    rank = models.PositiveSmallIntegerField(help_text="From 1: those given first, then those dropped.")
    title = models.CharField(max_length=255)
    page = models.PositiveIntegerField(null=True, blank=True)
    place = models.CharField(max_length=200, blank=True, help_text="Where 'page N' is the wrong word.")
    heading = models.CharField(max_length=500, blank=True)
    score = models.FloatField()
    dense = models.FloatField(help_text="Cosine with the question.")
    sparse = models.FloatField(null=True, blank=True, help_text="BM25; null where no word is shared.")
    reason = models.CharField(max_length=20, blank=True, help_text="Why it was dropped; empty where it was given.")

    class Meta:
        ordering = ["rank"]
        constraints = [models.UniqueConstraint(fields=["message", "rank"], name="found_once_per_rank")]

    def __str__(self) -> str:
        return f"{self.rank}. {self.title}"

    def is_within(self, scope: AccessScope) -> bool:
        """True where the document exists and this reader may read it."""
        return _is_readable(self.document, scope)

    @property
    def arms(self) -> tuple[str, ...]:
        """Which arms found it: 'meaning', 'words' or both. Without a shared word only the meaning can have."""
        by_words = self.sparse is not None
        by_meaning = not by_words or self.dense >= settings.RAGAPP.relevance_threshold
        return ("meaning",) * by_meaning + ("words",) * by_words

    @property
    def why(self) -> str:
        """Why it was dropped, for a person; '' where it was given."""
        known = {reason.value: reason.sentence for reason in Reason}
        return known.get(self.reason, "") if self.reason else ""


class Thumb(models.TextChoices):
    """What a reader thinks of an answer."""

    UP = "up", "Good"
    DOWN = "down", "Not good"


class Complaint(models.TextChoices):
    """What is wrong with an answer."""

    WRONG = "wrong", "It is wrong"
    INCOMPLETE = "incomplete", "Something is missing"
    NOT_IN_SOURCE = "not_in_source", "The source does not say that"
    SOURCE_AT_FAULT = "source_at_fault", "The source itself is wrong or old"
    SHOULD_HAVE_ANSWERED = "should_have_answered", "The documents do hold the answer"
    SHOULD_HAVE_REFUSED = "should_have_refused", "The documents do not hold the answer"
    OTHER = "other", "Something else"


class FeedbackState(models.TextChoices):
    """How far an admin is with it. A change by its author makes it NEW again."""

    NEW = "new", "New"
    SEEN = "seen", "Looked at"
    DONE = "done", "Done"


class Feedback(models.Model):
    """What a reader thinks of an answer. It goes with the answer, and so with the conversation."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="feedback")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    thumb = models.CharField(max_length=4, choices=Thumb)
    reason = models.CharField(max_length=20, choices=Complaint, blank=True, help_text="With a thumb down.")
    text = models.CharField(max_length=FEEDBACK_TEXT_LIMIT, blank=True)
    state = models.CharField(max_length=4, choices=FeedbackState, default=FeedbackState.NEW)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-updated_at", "id"]
        indexes = [models.Index(fields=["state", "-updated_at"], name="feedback_inbox")]
        constraints = [
            models.UniqueConstraint(fields=["message", "author"], name="feedback_once_per_person"),
            models.CheckConstraint(
                condition=models.Q(thumb="down") & ~models.Q(reason="") | models.Q(thumb="up", reason=""),
                name="feedback_down_has_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.thumb} for {self.message_id}"


def _is_readable(document: Document, scope: AccessScope) -> bool:
    return document.state != DocumentState.DELETING and str(document.collection_id) in scope.collection_ids
