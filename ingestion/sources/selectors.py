"""What admins see of the sources. Nobody else is shown any."""

from uuid import UUID

from django.db.models import Count, Prefetch, Q, QuerySet

from ingestion.errors import SourceNotFoundError
from ingestion.selectors import uuid_or_none
from ingestion.sources.models import Source, SourceItem, SourceRun


def sources_all() -> QuerySet[Source]:
    """By name, each with its collection, `item_count`, `failed_count` and, as `last_runs`, its latest run."""
    latest = SourceRun.objects.order_by("-started_at", "-pk")[:1]
    return (
        Source.objects.select_related("collection")
        .annotate(
            item_count=Count("items"),
            failed_count=Count("items", filter=~Q(items__error_code="")),
        )
        .prefetch_related(Prefetch("runs", queryset=latest, to_attr="last_runs"))
        .order_by("name")
    )


def source_get(source_id: str | UUID) -> Source:
    """Raises SourceNotFoundError."""
    key = uuid_or_none(source_id)
    found = sources_all().filter(pk=key).first() if key else None
    if found is None:
        raise SourceNotFoundError(str(source_id))
    return found


def failed_items(source: Source) -> QuerySet[SourceItem]:
    """The items that the last run could not take, by key."""
    return source.items.exclude(error_code="").order_by("key")
