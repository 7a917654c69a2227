"""Elements of the XML in archived documents, by their local names: what every reader of such a format asks of them."""

import functools
from collections.abc import Iterable, Iterator
from xml.etree.ElementTree import Element

from ingestion.errors import DamagedDocumentError

Event = tuple[str, Element]
_MOST_DIGITS = 9


def local(element: Element) -> str:
    """The name of an element without its namespace: strict and transitional files differ in nothing else."""
    return _local(element.tag)


def attribute(element: Element | None, name: str) -> str:
    """The value of an attribute whatever its namespace, or '', as of no element."""
    if element is None:
        return ""
    value = element.get(name)
    return reference(element, name) if value is None else value


def reference(element: Element, name: str = "id") -> str:
    """The id of a relation: an attribute with a namespace, beside which there may be one of the same name without."""
    return next((value for key, value in element.attrib.items() if key.endswith("}" + name)), "")


def child(element: Element | None, *path: str) -> Element | None:
    """The first descendant by local names, one for each level."""
    for name in path:
        if element is None:
            return None
        element = next((inner for inner in element if local(inner) == name), None)
    return element


def children(element: Element | None, *path: str) -> list[Element]:
    """Everything directly in the first descendant by local names."""
    holder = child(element, *path)
    return list(holder) if holder is not None else []


def named(element: Element, name: str) -> Iterator[Element]:
    """Those directly in it that have the local name."""
    return (inner for inner in element if local(inner) == name)


def content(element: Element | None) -> str:
    """The text directly in it; '' of no element."""
    return (element.text or "") if element is not None else ""


def whole_number(text: str) -> int | None:
    """A whole number as files write counts and indexes; None for anything else, also one that is absurdly long."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None


def blocks(events: Iterable[Event], *, body: str, depth: int) -> Iterator[Element]:
    """What is directly in the body, the element of that name at `depth` (the root's is 1), one after the other.

    Each is let go as the next is asked for, so that only one is in memory. Raises DamagedDocumentError where there is
    no body.
    """
    holder: Element | None = None
    at = 0
    for event, element in events:
        at += 1 if event == "start" else -1
        if event == "start" and at == depth and local(element) == body:
            holder = element
        elif event == "end" and at == depth and holder is not None:
            yield element
            holder.clear()
    if holder is None:
        raise DamagedDocumentError("no document body")


@functools.lru_cache(maxsize=1024)
def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
