"""The append-only, hash-chained record."""

from django.db import models


class Record(models.Model):
    """One link: `mac` is HMAC-SHA256 over sequence, the previous link's mac and the canonical body."""

    sequence = models.PositiveBigIntegerField(primary_key=True)
    kind = models.CharField(max_length=20)
    body = models.JSONField()
    created_at = models.DateTimeField()
    previous = models.CharField(max_length=64)
    mac = models.CharField(max_length=64)

    class Meta:
        ordering = ["sequence"]

    def __str__(self) -> str:
        return f"{self.sequence} {self.kind}"
