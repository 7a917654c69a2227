"""The connector protocol: what a kind of source says about itself, what it lists and how an item's bytes come."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel

from ingestion.sources.config import SourcesConfig


@dataclass(frozen=True, slots=True)
class Item:
    """One file or page of a source.

    `key` is its identity in the source, `fingerprint` a cheap mark that differs once its content does; empty where
    the source has none, and then the content is fetched each time. `settled` is False while it is being written:
    it is there, and is left for the next run.
    """

    key: str
    name: str
    fingerprint: str
    size: int | None = None
    settled: bool = True


class Connector(Protocol):
    """A source as the synchronisation sees it; made for one run."""

    def items(self) -> Iterator[Item]:
        """Everything there is, or an error: a listing that ends early would look like deletions.

        Raises SourceError.
        """

    def content(self, item: Item) -> Iterator[bytes]:
        """The item's bytes. Raises SourceError, SourceItemGoneError, SourceItemBusyError or UploadError."""


@dataclass(frozen=True)
class Kind:
    """A kind of source. The form of its page is made from `settings`: titles, descriptions and SecretStr fields.

    `connect` raises SourceSettingsError for settings that this installation does not allow, and reaches nothing.
    """

    name: str
    title: str
    hint: str
    switch: str
    settings: type[BaseModel]
    is_on: Callable[[SourcesConfig], bool]
    connect: Callable[[Any, SourcesConfig], Connector]
