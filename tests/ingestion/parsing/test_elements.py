"""What readers ask of elements, whatever the format."""

from collections.abc import Iterator
from io import StringIO
from xml.etree.ElementTree import Element

import pytest
from defusedxml.ElementTree import fromstring, iterparse  # type: ignore[import-untyped]

from ingestion.errors import DamagedDocumentError
from ingestion.parsing.elements import Event, attribute, blocks, children, content, named, whole_number

BOOK = '<a:r xmlns:a="urn:a"><a:b a:id="1" n="x"><a:p>one</a:p><a:q>two</a:q><a:p>three</a:p></a:b><a:c/></a:r>'


def events(xml: str) -> Iterator[Event]:
    yield from iterparse(StringIO(xml), events=("start", "end"))


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("12", 12), ("", None), ("-1", None), ("1.5", None), ("²", None), ("٣", None), ("1" * 10, None)],
)
def test_only_short_plain_digits_are_a_whole_number(text: str, number: int | None) -> None:
    assert whole_number(text) == number


def test_names_are_compared_without_their_namespaces() -> None:
    book = fromstring(BOOK)
    assert [content(each) for each in named(children(book)[0], "p")] == ["one", "three"]
    assert [content(each) for each in children(book, "b")] == ["one", "two", "three"]
    assert (attribute(book[0], "id"), attribute(book[0], "n"), attribute(book[0], "z")) == ("1", "x", "")


def test_no_element_has_nothing() -> None:
    assert (children(None), children(Element("r"), "b"), content(None), attribute(None, "id")) == ([], [], "", "")


def test_only_one_block_of_the_body_is_held_at_a_time() -> None:
    # iterparse reads such a short text whole before its first event.
    given = list(events(BOOK.replace("<a:p>three</a:p>", "")))
    body = next(element for event, element in given if event == "start" and element.tag.endswith("b"))
    held = [(content(block), len(body)) for block in blocks(given, body="b", depth=2)]
    assert held == [("one", 2), ("two", 0)]


def test_a_document_without_its_body_at_its_depth_is_damaged() -> None:
    with pytest.raises(DamagedDocumentError):
        list(blocks(events(BOOK), body="b", depth=3))
