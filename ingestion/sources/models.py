"""Sources, what each brought and how its runs went."""

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q


class Source(models.Model):
    """A folder, bucket or list of pages that is kept in step with a collection.

    | field | meaning |
    |---|---|
    | due_at | it runs from then on; none: only when it is asked to |
    | requested | somebody asked for a run: it runs even where it is paused or waits for confirmation |
    | claim, claimed_until | the run that holds it, and its lease; past that anyone may take it |
    | vanished | items that would be removed at once; above 0 it waits until an admin confirms |
    | confirmed | as many may be removed by the next run |
    | round_at | when the round began that several runs share, where one does not suffice |
    | deleting | its documents are being deleted, then it goes |
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=20)
    collection = models.ForeignKey("ingestion.Collection", on_delete=models.PROTECT, related_name="sources")
    options = models.JSONField(default=dict)
    sealed = models.TextField(blank=True, help_text="Its keys, encrypted.")
    interval_s = models.PositiveIntegerField(default=3_600, help_text="Between runs; 0: only by hand.")
    paused = models.BooleanField(default=False)
    requested = models.BooleanField(default=False)
    deleting = models.BooleanField(default=False)
    due_at = models.DateTimeField(null=True, blank=True)
    round_at = models.DateTimeField(null=True, blank=True)
    claim = models.UUIDField(null=True, blank=True)
    claimed_until = models.DateTimeField(null=True, blank=True)
    vanished = models.PositiveIntegerField(default=0)
    confirmed = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "ingestion"
        ordering = ["name"]
        indexes = [models.Index(fields=["due_at"], name="source_due")]

    def __str__(self) -> str:
        return self.name


class SourceItem(models.Model):
    """A file or page of a source, and the document that it became.

    `owned` is False where the document was there before any source brought it: then it outlives the item.
    """

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="items")
    key_sha256 = models.CharField(max_length=64, help_text="Keys are longer than an index may hold.")
    key = models.TextField()
    name = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=200, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    owned = models.BooleanField(default=True)
    document = models.ForeignKey(
        "ingestion.Document", null=True, blank=True, on_delete=models.SET_NULL, related_name="source_items"
    )
    error_code = models.CharField(max_length=40, blank=True)
    checked_at = models.DateTimeField(
        null=True, blank=True, help_text="When its content was last fetched, or failed to."
    )
    changed_at = models.DateTimeField(null=True, blank=True, help_text="When its content last became a document.")

    class Meta:
        app_label = "ingestion"
        ordering = ["key"]
        constraints = [models.UniqueConstraint(fields=["source", "key_sha256"], name="source_item_once_per_key")]
        indexes = [
            models.Index(fields=["source"], condition=~Q(error_code=""), name="source_item_failed"),
        ]

    def __str__(self) -> str:
        return self.key


class RunOutcome(models.TextChoices):
    """PARTIAL: its time was over, and the next run goes on. LOST: its worker died."""

    RUNNING = "running", "Running"
    DONE = "done", "Done"
    PARTIAL = "partial", "Goes on"
    FAILED = "failed", "Failed"
    UNCONFIRMED = "unconfirmed", "Needs confirmation"
    LOST = "lost", "Interrupted"


class SourceRun(models.Model):
    """One pass over a source, with what it found and did. The last fifty are kept."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="runs")
    outcome = models.CharField(max_length=12, choices=RunOutcome, default=RunOutcome.RUNNING)
    error_code = models.CharField(max_length=40, blank=True)
    listed = models.PositiveIntegerField(default=0)
    added = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    unchanged = models.PositiveIntegerField(default=0)
    removed = models.PositiveIntegerField(default=0)
    waiting = models.PositiveIntegerField(default=0, help_text="Being written, left for the next run.")
    failed = models.PositiveIntegerField(default=0)
    started_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        app_label = "ingestion"
        ordering = ["-started_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.source_id} {self.outcome}"

    @property
    def counts(self) -> dict[str, Any]:
        """The numbers as they are stored."""
        names = ("listed", "added", "changed", "unchanged", "removed", "waiting", "failed")
        return {name: getattr(self, name) for name in names}
