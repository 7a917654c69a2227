"""Who and what the API's tests are about."""

from dataclasses import dataclass

from django.test import AsyncClient, Client

from ingestion.models import Collection, Document
from ragapp.accounts.models import User
from ragapp.chat.models import Conversation


@dataclass(frozen=True)
class Person:
    """A user with a key."""

    user: User
    secret: str

    @property
    def client(self) -> Client:
        """A client that sends the key. Server errors come back as responses."""
        return Client(raise_request_exception=False, headers={"authorization": f"Bearer {self.secret}"})

    @property
    def async_client(self) -> AsyncClient:
        """The same over ASGI."""
        return AsyncClient(headers={"authorization": f"Bearer {self.secret}"})


@dataclass(frozen=True)
class World:
    """`staff` reads `handbook` through its group; `outsider` reads nothing; `vault` is open to admins alone."""

    admin: Person
    reader: Person
    outsider: Person
    handbook: Collection
    vault: Collection
    document: Document
    failed: Document
    hidden: Document
    conversation: Conversation
