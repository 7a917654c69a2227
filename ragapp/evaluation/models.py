"""What was measured, kept to compare with, and the cases that were gathered from answers."""

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone

from ingestion.access import AccessScope
from ingestion.models import Document, DocumentState, Label
from ragapp.chat.models import Message


class EvaluationKind(models.TextChoices):
    """What a run measures."""

    RETRIEVAL = "retrieval", "Retrieval"
    ANSWERS = "answers", "Answers"
    REFUSALS = "refusals", "Refusals"


class RunState(models.TextChoices):
    """QUEUED → RUNNING → DONE or FAILED. What a command measures is stored once it is DONE."""

    QUEUED = "queued", "Waiting"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"


OPEN = (RunState.QUEUED, RunState.RUNNING)


class EvaluationRun(models.Model):
    """One run over one question set. `report` is the whole of it as JSON, by question too; {} until it is DONE.

    While it is RUNNING, `step` is being done, `done` of `total` questions; `heard_at` is when that was last told.
    """

    kind = models.CharField(max_length=20, choices=EvaluationKind)
    question_set = models.CharField(max_length=200)
    configuration = models.JSONField(default=dict)
    report = models.JSONField(default=dict)
    figures = models.JSONField(default=list, help_text="What headline_of says: a list loads no report.")
    state = models.CharField(max_length=7, choices=RunState, default=RunState.DONE)
    step = models.CharField(max_length=20, blank=True)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    error_code = models.CharField(max_length=40, blank=True)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    heard_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["question_set", "-id"], name="evaluation_run_of_set")]
        constraints = [
            models.UniqueConstraint(
                fields=["question_set", "requested_by"],
                condition=models.Q(state__in=OPEN),
                name="one_open_run_per_set_and_person",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.question_set}, run {self.pk}"

    @property
    def is_over(self) -> bool:
        """True once nothing more happens."""
        return self.state not in OPEN


class EvaluationCase(models.Model):
    """A question with what is right. `label` is the highest of all it came from, and never goes down.

    `expected` is '' where no answer is known; it goes with any of the documents that it was drawn from.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    question_set = models.CharField(max_length=200)
    question = models.TextField()
    earlier = models.TextField(blank=True, help_text="The question before it, where it follows one up.")
    expected = models.TextField(blank=True)
    answerable = models.BooleanField(default=True)
    label = models.PositiveSmallIntegerField(choices=Label, default=Label.RESTRICTED)
    origin = models.ForeignKey(Message, null=True, on_delete=models.SET_NULL, related_name="+")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["created_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["question_set", "origin"], name="case_once_per_answer_and_set"),
        ]
        indexes = [models.Index(fields=["question_set", "created_at"], name="case_of_set")]

    def __str__(self) -> str:
        return f"case {self.pk} of {self.question_set}"

    @property
    def is_withdrawn(self) -> bool:
        """True where a document that the expected answer was drawn from is deleted. Loads `sources`."""
        return any(source.is_gone for source in self.sources.all())

    def targets_within(self, scope: AccessScope) -> "list[CaseTarget]":
        """Those that this reader may see now. Loads `targets`."""
        return [target for target in self.targets.all() if target.is_within(scope)]


class CaseSource(models.Model):
    """A document that a case was drawn from. A deleted one leaves its row, empty, and takes the expected answer."""

    case = models.ForeignKey(EvaluationCase, on_delete=models.CASCADE, related_name="sources")
    document = models.ForeignKey(Document, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["case", "document"], name="case_source_once_per_document")]

    def __str__(self) -> str:
        return f"{self.case_id} from {self.document_id}"

    @property
    def is_gone(self) -> bool:
        """True once the document is deleted."""
        return self.document is None or self.document.state == DocumentState.DELETING


class CaseTarget(models.Model):
    """What is to be found: a document, or one page of it. It goes with its document."""

    case = models.ForeignKey(EvaluationCase, on_delete=models.CASCADE, related_name="targets")
    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="+")
    page = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["case", "document", "page"], name="case_target_once_per_page"),
            models.UniqueConstraint(
                fields=["case", "document"], condition=models.Q(page__isnull=True), name="case_target_once_per_document"
            ),
        ]

    def __str__(self) -> str:
        return self.key

    @property
    def key(self) -> str:
        """As a target of a question set: the document's id, with the page where one is meant."""
        return f"{self.document_id}#page={self.page}" if self.page else str(self.document_id)

    def is_within(self, scope: AccessScope) -> bool:
        """True where the document exists and this reader may read it."""
        return (
            self.document.state != DocumentState.DELETING and str(self.document.collection_id) in scope.collection_ids
        )
