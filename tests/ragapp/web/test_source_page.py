"""A citation's passage in its context."""

from django.urls import reverse

from ingestion.models import Document
from tests.ragapp.web.world import HTMX, World, browser_of, document_in, passage_in, version_in


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


def test_a_pdfs_page_is_shown_with_the_passage_marked(world: World) -> None:
    document = document_in(world.handbook, name="manual.pdf", media_type="application/pdf", pages=9)
    cited = passage_in(document, text="Lone working.", ordinal=1, page=4, boxes=[[0.1, 0.2, 0.6, 0.25]])
    passage_in(document, text="Another.", ordinal=2, page=4, boxes=[[0.5, 0.5, 0.6, 0.6]])
    page = browser_of(world.reader).get(reverse("web:source", args=[cited.pk])).content.decode()
    assert reverse("web:document_page_image", args=[document.pk, 4]) in page
    assert 'loading="lazy"' in page
    assert 'alt="Page 4 of manual.pdf"' in page
    assert '<rect x="1000" y="2000" width="5000" height="500"/>' in page
    assert '<rect x="5000"' not in page
    assert "Lone working." in page


def test_a_format_without_pages_shows_no_picture(world: World) -> None:
    page = browser_of(world.reader).get(reverse("web:source", args=[world.leave.chunks.get().pk])).content.decode()
    assert "<img" not in page


def test_a_place_that_is_no_page_is_told_in_words(world: World) -> None:
    cited = passage_in(world.leave, text="Costs.", ordinal=1, page=3, place="slide 3")
    page = browser_of(world.reader).get(reverse("web:source", args=[cited.pk])).content.decode()
    assert "Slide 3" in page
    assert "Page 3" not in page


def test_a_passage_of_a_replaced_version_says_that_there_is_a_newer_one(world: World) -> None:
    cited = world.leave.chunks.get()
    version_in(world.leave, number=2)
    Document.objects.filter(pk=world.leave.pk).update(version=2, live_version=2)
    page = browser_of(world.reader).get(reverse("web:source", args=[cited.pk])).content.decode()
    assert "There is a newer one." in page
    assert "?version=1" in page
