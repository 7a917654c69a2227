"""Conversations, their messages and the citations under an answer."""

import uuid

from django.conf import settings
from django.db import models

from ingestion.access import AccessScope
from ingestion.models import Chunk, Document, DocumentState, Label


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
        return not self.refused and not all(reading.is_within(scope) for reading in self.readings.all())

    def citations_within(self, scope: AccessScope) -> "list[Citation]":
        """Those that this reader may see now. `services.with_sources` loads what is read here."""
        return [citation for citation in self.citations.all() if citation.is_within(scope)]


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


def _is_readable(document: Document, scope: AccessScope) -> bool:
    return document.state != DocumentState.DELETING and str(document.collection_id) in scope.collection_ids
