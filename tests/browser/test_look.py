"""Every page at every size and in both schemes: nothing sticks out, and nobody is shut out."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.steps import serious_violations, sign_in
from tests.live import LiveServer

PAGES = ["/", "/documents", "/collections/new", "/keys"]


@pytest.fixture
def places(page: Page, cited_conversation: str) -> list[str]:
    """Every page there is, the thread of a conversation and the page of a source among them."""
    page.goto(cited_conversation)
    source = page.locator("a.source").first.get_attribute("href")
    assert source
    return [*PAGES, cited_conversation, source]


def test_signing_in_opens_the_chat(browser: Browser, live_app: LiveServer) -> None:
    context = browser.new_context(base_url=live_app.url)
    sign_in(context.new_page(), live_app)
    context.close()


def test_nothing_scrolls_sideways_at_360_pixels(page: Page, places: list[str]) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    for place in places:
        page.goto(place)
        widths = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert widths[0] <= widths[1], place


def test_the_menu_of_a_narrow_screen_opens_and_closes(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto("/documents")
    expect(page.locator("#sidebar")).to_be_hidden()
    page.get_by_role("link", name="Open the menu").click()
    expect(page.locator("#sidebar")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#sidebar")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(page: Page, places: list[str], scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
    for place in places:
        page.goto(place)
        serious = serious_violations(page)
        assert not serious, (place, serious)


def test_the_scheme_follows_the_system_until_it_is_chosen(page: Page, tmp_path: Path) -> None:
    def background() -> str:
        return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    page.emulate_media(color_scheme="light")
    page.goto("/documents")
    light = background()
    page.emulate_media(color_scheme="dark")
    dark = background()
    assert light != dark
    assert page.screenshot(path=tmp_path / "dark.png")
    page.get_by_role("button", name="Light", exact=True).click()
    assert background() == light
    page.reload()
    assert background() == light
    page.get_by_role("button", name="As the system").click()
    assert background() == dark


def test_reading_needs_no_script(browser: Browser, live_app: LiveServer, signed_in_state: Path) -> None:
    context = browser.new_context(base_url=live_app.url, storage_state=signed_in_state, java_script_enabled=False)
    page = context.new_page()
    page.goto("/")
    page.locator("#question").fill("Is anybody there?")
    page.locator("#send").click()
    expect(page.locator(".question p")).to_have_text("Is anybody there?")
    # With scripts on, a noscript element holds text; only without them it holds the hint's paragraph.
    expect(page.locator("article noscript p")).to_have_count(1)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped before the answer began.")).to_be_visible()
    page.goto("/documents")
    expect(page.locator("table.documents")).to_be_visible()
    context.close()
