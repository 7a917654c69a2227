"""The documents page: many files at once, live states, failures that say why, and deletion that deletes."""

import re

from playwright.sync_api import FilePayload, Page, expect

from tests.browser.conftest import COLLECTION
from tests.browser.steps import upload
from tests.live import LiveServer


def text_file(name: str, text: str) -> FilePayload:
    return {"name": name, "mimeType": "text/plain", "buffer": text.encode()}


def test_dropped_files_become_ready_without_a_reload(page: Page) -> None:
    page.goto("/documents")
    page.evaluate("window.sameDocument = true")
    transfer = page.evaluate_handle(
        """() => {
            const transfer = new DataTransfer();
            transfer.items.add(new File(['The lighthouse lamp is cleaned on Mondays.'], 'lamp.txt'));
            transfer.items.add(new File(['The fog horn is tested on Fridays.'], 'horn.txt'));
            return transfer;
        }"""
    )
    page.locator("#drop").dispatch_event("drop", {"dataTransfer": transfer})
    expect(page.locator("#upload-list .done")).to_have_count(2)
    for name in ("lamp.txt", "horn.txt"):
        expect(page.locator("tr", has_text=name)).to_have_attribute("data-state", "ready")
    assert page.evaluate("window.sameDocument")


def test_a_file_that_fails_says_why_and_nothing_is_lost_from_the_list(page: Page) -> None:
    page.goto("/documents")
    page.locator("#files").set_input_files(
        [text_file("notes.txt", "The anchor weighs 310 kg."), text_file("broken.pdf", "%PDF-1.7 nothing else")]
    )
    expect(page.locator("#upload-list .upload-item")).to_have_count(2)
    expect(page.locator("#upload-list .done")).to_have_count(2)
    row = page.locator("tr", has_text="broken.pdf")
    expect(row).to_have_attribute("data-state", "failed")
    expect(row.locator(".document-error")).not_to_be_empty()
    row.get_by_role("button", name="Retry").click()
    expect(row).to_have_attribute("data-state", "failed")


def test_a_file_over_the_limit_is_refused_before_it_is_sent(page: Page) -> None:
    page.goto("/documents")
    page.evaluate(
        """() => {
            const file = new File(['x'], 'huge.txt');
            Object.defineProperty(file, 'size', {value: 1e12});
            const event = new DragEvent('drop', {bubbles: true, cancelable: true});
            Object.defineProperty(event, 'dataTransfer', {value: {files: [file]}});
            document.getElementById('drop').dispatchEvent(event);
        }"""
    )
    expect(page.locator("#upload-list .failed")).to_contain_text("larger than")


def test_a_deleted_documents_row_goes_and_its_source_is_shown_as_removed(
    page: Page, live_app: LiveServer, cited_conversation: str
) -> None:
    upload(page, text_file("buoy.txt", "The Skua buoy is painted by Ragnhild Aas."), collection=COLLECTION)
    row = page.locator("tr", has_text="buoy.txt")
    expect(row).to_have_attribute("data-state", "ready")
    live_app.shell(
        "from ingestion.models import Chunk; from ragapp.chat.models import Citation;"
        f"citation = Citation.objects.get(message__conversation={cited_conversation.rpartition('/')[2]!r}, n=1);"
        "chunk = Chunk.objects.get(document__name='buoy.txt');"
        "citation.chunk, citation.document, citation.title = chunk, chunk.document, 'buoy.txt'; citation.save()"
    )
    page.goto(cited_conversation)
    expect(page.locator("a.source", has_text="buoy.txt")).to_be_visible()
    page.goto("/documents")
    row.get_by_role("link", name="Delete buoy.txt").click()
    page.locator("dialog").get_by_role("button", name="Delete document").click()
    expect(row).to_have_count(0)
    expect(page.locator("dialog")).to_be_hidden()
    page.goto(cited_conversation)
    expect(page.get_by_text("Source removed")).to_be_visible()
    expect(page.locator("a.source", has_text="buoy.txt")).to_have_count(0)


def test_deleting_can_be_called_off(page: Page, gate_rules: str) -> None:
    page.goto("/documents")
    row = page.locator("tr", has_text=gate_rules)
    row.get_by_role("link", name=f"Delete {gate_rules}").click()
    page.locator("dialog").get_by_role("link", name="Keep it").click()
    expect(page.locator("dialog")).to_be_hidden()
    expect(row).to_be_visible()


def test_the_filter_follows_the_typing_and_the_address_follows_the_filter(page: Page, gate_rules: str) -> None:
    page.goto("/documents")
    page.get_by_label("Name").fill("gate-ru")
    expect(page.locator("#rows tbody tr")).to_have_count(1)
    expect(page).to_have_url(re.compile("q=gate-ru"))
    page.get_by_label("Name").fill("no such name")
    expect(page.get_by_text("No document matches")).to_be_visible()


def test_a_collection_is_made_and_chosen(page: Page) -> None:
    page.goto("/documents")
    page.get_by_role("link", name="New collection").click()
    page.get_by_label("Name").fill("Tide tables")
    page.get_by_role("button", name="Create collection").click()
    expect(page.locator("#upload-collection option:checked")).to_contain_text("Tide tables")


def test_a_key_is_shown_once_and_revoked(page: Page) -> None:
    page.goto("/keys")
    page.get_by_label("Name of a new key").fill("Night porter")
    page.get_by_role("button", name="Create key").click()
    expect(page.locator("#secret")).to_contain_text("rag_")
    page.goto("/keys")
    expect(page.locator("#secret")).to_have_count(0)
    page.locator("tr", has_text="Night porter").get_by_role("link").click()
    page.get_by_role("button", name="Revoke key").click()
    expect(page.locator("tr", has_text="Night porter")).to_have_count(0)
