"""Who and what the API's tests are about."""

import json
from dataclasses import dataclass
from typing import Any

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

    async def send(
        self, method: str, address: str, *, headers: dict[str, str] | None = None, body: object = None
    ) -> Any:
        """One request over ASGI."""
        return await AsyncClient(raise_request_exception=False).generic(
            method,
            f"/api/v1/{address}",
            b"" if body is None else json.dumps(body),
            content_type="application/json",
            headers={"authorization": f"Bearer {self.secret}"} | (headers or {}),
        )


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
