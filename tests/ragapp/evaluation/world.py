"""An admin, two collections and an answer over one of them; the index is real, and empty at first."""

from dataclasses import dataclass

from ingestion.access import AccessScope
from ingestion.models import Collection, Document
from ingestion.selectors import scope_for
from ragapp.accounts.models import User
from ragapp.chat.models import Message
from ragapp.chat.services import with_sources


@dataclass(frozen=True)
class Gathered:
    """`answer` is of the admin's own conversation and cites page 3 of `manual`."""

    admin: User
    reader: User
    handbook: Collection
    manual: Document
    answer: Message

    @property
    def scope(self) -> AccessScope:
        """The admin's rights now."""
        return scope_for(self.admin)


def loaded(answer: Message) -> Message:
    """As the services want it."""
    return with_sources(Message.objects.select_related("conversation")).get(pk=answer.pk)
