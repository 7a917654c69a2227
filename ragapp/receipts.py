"""What is promised and told of a deletion. Knows no view."""

from dataclasses import dataclass
from datetime import datetime

from ingestion.erasure import WINDOW
from ingestion.models import Erasure


@dataclass(frozen=True)
class Receipt:
    """An erasure with what is due when."""

    erasure: Erasure

    @property
    def promised_by(self) -> datetime:
        """By then no byte of it is left in index and database."""
        return self.erasure.requested_at + WINDOW

    @property
    def stage(self) -> str:
        """'hidden', 'purged' or 'gone': how far the deletion has come."""
        if self.erasure.gone_at:
            return "gone"
        return "purged" if self.erasure.purged_at else "hidden"
