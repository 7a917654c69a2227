"""The admin's pages as a person uses them: a document with its pages, versions, the queue, bulk actions, receipts."""

import re

import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect

from tests.browser.conftest import COLLECTION
from tests.browser.steps import serious_violations, upload
from tests.live import LiveServer


def markdown_file(name: str, text: str) -> FilePayload:
    return {"name": name, "mimeType": "text/markdown", "buffer": text.encode()}


def open_document(page: Page, name: str) -> None:
    page.goto("/documents")
    page.locator("tr", has_text=name).get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("heading", name="Passages")).to_be_visible()


@pytest.fixture
def places(page: Page, manual: str) -> list[str]:
    """Every page of the admin's that is not in test_look.py."""
    open_document(page, manual)
    document = page.url
    collection = page.get_by_role("link", name=COLLECTION).first.get_attribute("href")
    assert collection
    return [document, collection, "/queue", "/erasures"]


def test_a_page_is_drawn_beside_its_passages_and_the_one_in_focus_is_picked_out(page: Page, manual: str) -> None:
    open_document(page, manual)
    picture = page.locator(".picture img").first
    picture.scroll_into_view_if_needed()
    expect(picture).to_have_js_property("complete", True)
    assert picture.evaluate("image => image.naturalWidth") > 0
    assert page.locator(".sheet").first.locator("svg.boxes rect").count() > 0
    page.locator(".chunk").first.locator(".chunk-n").focus()
    expect(page.locator(".boxes.picking g.picked")).to_have_count(1)


def test_a_citation_opens_with_its_page_and_the_passage_marked(page: Page, cited_conversation: str) -> None:
    page.goto(cited_conversation)
    page.locator("a.source", has_text=re.compile("health", re.IGNORECASE)).click()
    panel = page.locator("#panel")
    expect(panel.locator(".passage-cited")).not_to_be_empty()
    picture = panel.locator(".picture img")
    picture.scroll_into_view_if_needed()
    expect(picture).to_have_js_property("complete", True)
    assert picture.evaluate("image => image.naturalWidth") > 0
    assert panel.locator("svg.boxes rect").count() > 0


def test_a_new_version_replaces_the_old_one_and_can_be_taken_back(page: Page) -> None:
    upload(page, markdown_file("tides.md", "# Tides\n\nHigh water is at six."), collection=COLLECTION)
    expect(page.locator("tr", has_text="tides.md")).to_have_attribute("data-state", "ready")
    upload(page, markdown_file("tides.md", "# Tides\n\nHigh water is at seven."), collection=COLLECTION)
    expect(page.locator("#upload-list .words")).to_contain_text("version 2; the one before stays")
    open_document(page, "tides.md")
    # The page loads itself anew when the version is read.
    expect(page.locator(".versions li").first).to_contain_text("Searched now")
    expect(page.locator("#passages")).to_contain_text("at seven")
    page.get_by_role("button", name="Make it current again").click()
    expect(page.get_by_text("is read again, as version 3")).to_be_visible()
    expect(page.locator(".versions li").first).to_contain_text("Searched now")
    expect(page.locator("#passages")).to_contain_text("at six")


def test_ticked_documents_stay_ticked_while_rows_renew_and_are_deleted_together(page: Page) -> None:
    names = ["ebb.md", "flood.md"]
    upload(page, *[markdown_file(name, f"# {name}\n\nA note on {name}.") for name in names], collection=COLLECTION)
    for name in names:
        expect(page.locator("tr", has_text=name)).to_have_attribute("data-state", "ready")
        page.get_by_label(f"Tick {name}").check()
    page.evaluate("document.body.dispatchEvent(new Event('documentsChanged'))")
    page.wait_for_load_state("networkidle")
    expect(page.locator("#bulk-count")).to_have_text("2 ticked")
    expect(page.locator(".pick:checked")).to_have_count(2)
    page.locator("#bulk").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="Delete 2 documents?")).to_be_visible()
    page.get_by_role("button", name="Delete 2 documents").click()
    expect(page.get_by_text("2 documents deleted.")).to_be_visible()
    for name in names:
        expect(page.locator("tr", has_text=name)).to_have_count(0)


def test_deleting_a_document_gives_a_receipt_that_follows_the_purge(page: Page) -> None:
    upload(page, markdown_file("wreck.md", "# Wreck\n\nThe wreck lies at nine fathoms."), collection=COLLECTION)
    expect(page.locator("tr", has_text="wreck.md")).to_have_attribute("data-state", "ready")
    open_document(page, "wreck.md")
    page.get_by_role("link", name="Delete document").click()
    page.locator("dialog").get_by_role("button", name="Delete document").click()
    expect(page.get_by_role("heading", name="Erasure receipt")).to_be_visible()
    expect(page.locator("#receipt .timeline li").nth(1).locator("time")).to_be_visible()


def test_a_failure_is_seen_in_the_queue_and_retried_there(page: Page) -> None:
    broken: FilePayload = {"name": "torn.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7 nothing but this"}
    upload(page, broken, collection=COLLECTION)
    expect(page.locator("tr", has_text="torn.pdf")).to_have_attribute("data-state", "failed")
    page.goto("/queue")
    expect(page.locator(".job", has_text="torn.pdf")).to_contain_text("damaged")
    page.locator("#retry-all").click()
    expect(page.get_by_text("will be read again.")).to_be_visible()
    expect(page.locator(".job", has_text="torn.pdf")).to_contain_text("damaged")


def test_bulk_actions_need_no_script(browser: Browser, live_app: LiveServer, page: Page, gate_rules: str) -> None:
    state = page.context.storage_state()
    context = browser.new_context(base_url=live_app.url, storage_state=state, java_script_enabled=False)
    plain = context.new_page()
    plain.goto(f"/documents?q={gate_rules}")
    plain.get_by_label(f"Tick {gate_rules}").check()
    plain.locator("#bulk").get_by_role("button", name="Change label").click()
    plain.get_by_label("Sensitivity").select_option("Confidential")
    plain.get_by_role("button", name="Change label").click()
    expect(plain.get_by_text("1 document got the label.")).to_be_visible()
    expect(plain.locator("tr", has_text=gate_rules)).to_contain_text("Confidential")
    context.close()


def test_nothing_scrolls_sideways_at_360_pixels(page: Page, places: list[str]) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    for place in places:
        page.goto(place)
        widths = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert widths[0] <= widths[1], place


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(page: Page, places: list[str], scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
    for place in places:
        page.goto(place)
        serious = serious_violations(page)
        assert not serious, (place, serious)
