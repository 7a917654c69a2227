"""Collections, documents and chunks: the truth from which the index is derived."""

import uuid

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.db.models import Q


class Label(models.IntegerChoices):
    """Sensitivity, a lattice: a higher value is more sensitive. What has none is RESTRICTED."""

    PUBLIC = 0, "Public"
    INTERNAL = 1, "Internal"
    CONFIDENTIAL = 2, "Confidential"
    RESTRICTED = 3, "Restricted"


class DocumentState(models.TextChoices):
    """QUEUED → PROCESSING → READY or FAILED; DELETING from any of them, then the row goes."""

    QUEUED = "queued", "Waiting"
    PROCESSING = "processing", "Reading"
    READY = "ready", "Ready"
    FAILED = "failed", "Failed"
    DELETING = "deleting", "Deleting"


class Collection(models.Model):
    """Documents that share a label and readers."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=100, unique=True)
    description = models.CharField(max_length=300, blank=True)
    label = models.PositiveSmallIntegerField(choices=Label, default=Label.RESTRICTED)
    everyone = models.BooleanField(default=False, help_text="Every signed-in person may read it.")
    groups = models.ManyToManyField(Group, blank=True, related_name="collections")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Document(models.Model):
    """One accepted upload. `claimed_until` is the lease of the worker that holds it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    collection = models.ForeignKey(Collection, on_delete=models.PROTECT, related_name="documents")
    name = models.CharField(max_length=255, help_text="The file's name, without folders.")
    title = models.CharField(max_length=255, blank=True)
    sha256 = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField(help_text="Bytes.")
    media_type = models.CharField(max_length=100, blank=True)
    label = models.PositiveSmallIntegerField(choices=Label, default=Label.RESTRICTED)
    state = models.CharField(max_length=12, choices=DocumentState, default=DocumentState.QUEUED)
    step = models.CharField(max_length=12, blank=True)
    error_code = models.CharField(max_length=40, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    enqueued_at = models.DateTimeField(null=True, blank=True, help_text="When the broker last took its message.")
    claimed_until = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1)
    pages = models.PositiveIntegerField(null=True, blank=True)
    chunk_count = models.PositiveIntegerField(default=0)
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["collection", "sha256"],
                condition=~Q(state=DocumentState.DELETING),
                name="document_once_per_collection",
            ),
            models.CheckConstraint(
                condition=~Q(state=DocumentState.READY) | Q(chunk_count__gt=0), name="document_ready_has_text"
            ),
            models.CheckConstraint(
                condition=~Q(state=DocumentState.FAILED) | ~Q(error_code=""),
                name="document_failed_has_reason",
            ),
        ]
        indexes = [models.Index(fields=["state", "claimed_until"], name="document_state_claim")]

    def __str__(self) -> str:
        return self.name

    @property
    def is_settled(self) -> bool:
        """True once nothing more happens by itself."""
        return self.state in {DocumentState.READY, DocumentState.FAILED}


class Chunk(models.Model):
    """A passage. Its id is also its point's id in the index."""

    id = models.UUIDField(primary_key=True, editable=False)
    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="chunks")
    ordinal = models.PositiveIntegerField()
    text = models.TextField()
    page = models.PositiveIntegerField(null=True, blank=True)
    heading = models.CharField(max_length=500, blank=True)
    start = models.PositiveIntegerField(help_text="Character offset in the document's text.")
    end = models.PositiveIntegerField()

    class Meta:
        ordering = ["document", "ordinal"]
        constraints = [
            models.UniqueConstraint(fields=["document", "ordinal"], name="chunk_once_per_ordinal"),
        ]

    def __str__(self) -> str:
        return f"{self.document_id}#{self.ordinal}"
