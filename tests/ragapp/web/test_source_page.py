"""A citation's passage in its context."""

from django.urls import reverse

from tests.ragapp.web.world import HTMX, World, browser_of, document_in, passage_in


def test_the_passage_stands_between_its_neighbours_with_its_page(world: World) -> None:
    document = document_in(world.handbook, name="manual.pdf", media_type="application/pdf", pages=9)
    cited = passage_in(document, text="Lone working is forbidden.", ordinal=1, page=4)
    passage_in(document, text="The alarm is red.", ordinal=2, page=5)
    url = reverse("web:source", args=[cited.pk])
    page = browser_of(world.reader).get(url).content.decode()
    assert page.index("What manual.pdf says.") < page.index('id="passage"') < page.index("The alarm is red.")
    assert "Page 4 of 9" in page
    assert f'{reverse("web:document_file", args=[document.pk])}#page=4"' in page
    assert "Handbook" in page


def test_the_side_panel_gets_the_content_alone(world: World) -> None:
    url = reverse("web:source", args=[world.leave.chunks.get().pk])
    fragment = browser_of(world.reader).get(url, headers=HTMX).content.decode()
    assert "<html" not in fragment
    assert "Download original" in fragment


def test_what_the_neighbour_shares_with_the_passage_is_shown_once(world: World) -> None:
    document = document_in(world.handbook, name="a.txt", media_type="text/plain")
    cited = document.chunks.get()
    overlap = passage_in(document, text="says. And more follows.", ordinal=1)
    overlap.start, overlap.end = len(cited.text) - 5, len(cited.text) - 5 + len(overlap.text)
    overlap.save()
    page = browser_of(world.reader).get(reverse("web:source", args=[cited.pk])).content.decode()
    assert page.count("says.") == 1
    assert "And more follows." in page


def test_markup_in_a_passage_is_inert(world: World) -> None:
    for media_type in ("text/plain", "text/markdown"):
        document = document_in(world.handbook, name="x.md", media_type=media_type)
        passage = passage_in(document, text="<script>alert(1)</script><img src=x onerror=alert(1)>", ordinal=1)
        page = browser_of(world.reader).get(reverse("web:source", args=[passage.pk])).content.decode()
        assert "<script>alert" not in page
        assert "<img" not in page
