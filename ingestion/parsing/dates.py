"""Dates as files tell them, always with a time zone: without one of its own a date counts as UTC."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# Before and after these a date is a slip of whoever wrote it: epoch zero, a year of five digits.
_EARLIEST_YEAR, _LATEST_YEAR = 1971, 2199


def from_text(text: str) -> datetime | None:
    """An ISO 8601 date or one of a mail's header (RFC 5322); None where it is neither, or impossible."""
    text = text.strip()[:100]
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            return in_utc(read(text))
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None


def in_utc(moment: datetime | None) -> datetime | None:
    """The same moment in UTC; None where its year is no real one."""
    if moment is None or not _EARLIEST_YEAR <= moment.year <= _LATEST_YEAR:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
