"""A kind of source in memory: what a test puts on it is listed, and what it says goes wrong does."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from pydantic import BaseModel

from ingestion.sources.base import Item, Kind


@dataclass
class Shelf:
    """`contents` by key; `marks` overrides the fingerprint; `broken` raises for a key, or for '' while listing."""

    contents: dict[str, bytes] = field(default_factory=dict)
    marks: dict[str, str] = field(default_factory=dict)
    broken: dict[str, Exception] = field(default_factory=dict)
    unsettled: set[str] = field(default_factory=set)
    fetched: list[str] = field(default_factory=list)
    on_fetch: Callable[[], None] = lambda: None

    def items(self) -> Iterator[Item]:
        for key, content in self.contents.items():
            mark = self.marks.get(key, str(hash(content)))
            yield Item(
                key=key,
                name=key.rpartition("/")[2],
                fingerprint=mark,
                size=len(content),
                settled=key not in self.unsettled,
            )
        if "" in self.broken:
            raise self.broken[""]

    def content(self, item: Item) -> Iterator[bytes]:
        self.fetched.append(item.key)
        self.on_fetch()
        if item.key in self.broken:
            raise self.broken[item.key]
        yield self.contents[item.key]

    def kind(self) -> Kind:
        """To be put among the kinds under the name 'shelf'."""
        return Kind(
            name="shelf",
            title="Shelf",
            hint="",
            switch="",
            settings=_NoSettings,
            is_on=lambda config: True,
            connect=lambda settings, config: self,
        )


class _NoSettings(BaseModel):
    pass
