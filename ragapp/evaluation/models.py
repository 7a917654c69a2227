"""What was measured, kept to compare with."""

from django.db import models


class EvaluationKind(models.TextChoices):
    """What a run measures."""

    RETRIEVAL = "retrieval", "Retrieval"


class EvaluationRun(models.Model):
    """One run over one question set. `report` is the whole of it as JSON, by question too."""

    kind = models.CharField(max_length=20, choices=EvaluationKind)
    question_set = models.CharField(max_length=200)
    configuration = models.JSONField()
    report = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.kind} of {self.question_set}, run {self.pk}"
