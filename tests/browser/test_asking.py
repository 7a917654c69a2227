"""Asking in the browser: the stream, its sources, stopping, and what a keyboard can do."""

import re

from django.utils.html import escape
from playwright.sync_api import BrowserContext, Page, expect

from ragapp.web.frames import EMPTY, frame
from tests.browser.conftest import COLLECTION
from tests.browser.steps import ask, lengths, settled, upload, watch_lengths

GATE_QUESTION = "Who locks the Kestrel gate, and when?"


def test_the_answer_grows_before_the_readers_eyes(page: Page, gate_rules: str) -> None:
    page.goto("/")
    watch_lengths(page)
    answer = settled(ask(page, GATE_QUESTION))
    assert len(lengths(page)) >= 2
    expect(answer.locator("[data-answer]")).to_be_visible()
    expect(answer.get_by_text("Answered inside")).to_be_visible()
    expect(page.locator("#send")).to_be_visible()
    expect(page.locator("#stop")).to_be_hidden()


def test_the_conversation_has_an_address_and_survives_a_reload(page: Page, gate_rules: str) -> None:
    page.goto("/")
    text = settled(ask(page, GATE_QUESTION)).locator("[data-answer]").inner_text()
    expect(page).to_have_url(re.compile(r"/chat/[0-9a-f-]{36}$"))
    expect(page.locator(".conversations [aria-current=page]")).to_have_text(GATE_QUESTION)
    page.reload()
    expect(page.locator("[data-answer]")).to_have_text(text)


def test_a_citation_opens_its_passage_beside_the_thread(page: Page, cited_conversation: str) -> None:
    page.goto(cited_conversation)
    chip = page.locator("[data-answer] a.cite").first
    chip.click()
    panel = page.locator("#panel")
    expect(panel.locator("#passage")).to_contain_text("Kestrel gate is locked by Marguerite Okonkwo")
    expect(panel.get_by_text(COLLECTION)).to_be_visible()
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(chip).to_be_focused()


def test_a_passage_of_a_pdf_names_its_page_and_leads_to_it(page: Page, cited_conversation: str) -> None:
    page.goto(cited_conversation)
    page.locator("a.source", has_text="p. 2").click()
    panel = page.locator("#panel")
    expect(panel.get_by_text(re.compile(r"Page 2 of \d"))).to_be_visible()
    link = panel.get_by_role("link", name="Open page 2 of the original")
    expect(link).to_have_attribute("href", re.compile(r"/file#page=2$"))
    opened = page.request.get(str(link.get_attribute("href")).partition("#")[0])
    assert opened.headers["content-type"] == "application/pdf"
    assert opened.body().startswith(b"%PDF")


def test_a_source_is_a_page_of_its_own_on_a_narrow_screen(page: Page, cited_conversation: str) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(cited_conversation)
    page.locator("[data-answer] a.cite").first.click()
    expect(page).to_have_url(re.compile("/sources/"))
    expect(page.locator("#passage")).to_contain_text("Marguerite Okonkwo")


def test_what_is_not_in_the_documents_is_said_plainly(page: Page, gate_rules: str) -> None:
    page.goto("/")
    answer = settled(ask(page, "Which team won the 1998 volleyball championship of Peru?"))
    expect(answer.get_by_text("Not in your documents.")).to_be_visible()
    card = answer.locator("a.source").first
    title = card.locator(".source-title").inner_text()
    card.click()
    expect(page.locator("#panel").get_by_role("heading", name=title)).to_be_visible()


def test_stop_ends_the_answer_and_offers_to_ask_again(page: Page, gate_rules: str) -> None:
    page.goto("/")
    answer = ask(page, "Explain all the rules of all gates in great detail, please.")
    page.locator("#stop").click()
    expect(settled(answer)).to_contain_text(re.compile("stopped", re.I))
    expect(answer.get_by_role("button", name="Ask again")).to_be_visible()
    expect(page.locator("#question")).to_be_focused()
    expect(page.locator("#send")).to_be_visible()


def test_a_reload_while_answering_ends_with_a_settled_answer(page: Page, gate_rules: str) -> None:
    page.goto("/")
    ask(page, GATE_QUESTION)
    expect(page).to_have_url(re.compile("/chat/"))
    page.reload()
    settled(page.locator("article.answer"))


def test_the_examples_ask_themselves(page: Page) -> None:
    page.goto("/")
    page.locator(".examples button").first.click()
    expect(page.locator("#empty")).to_have_count(0)
    settled(page.locator("article.answer"))


def test_a_person_with_a_keyboard_alone_can_ask(page: Page, gate_rules: str) -> None:
    page.goto("/")
    expect(page.locator("#question")).to_be_focused()
    page.keyboard.type("Who locks the Kestrel gate,")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("and when?")
    expect(page.locator("#question")).to_have_value("Who locks the Kestrel gate,\nand when?")
    page.keyboard.press("Enter")
    expect(page.locator(".question")).to_have_count(1)
    expect(page.locator("#question")).to_be_focused()
    expect(page.locator("#question")).to_have_value("")
    settled(page.locator("article.answer"))


def test_a_person_with_a_keyboard_alone_can_check(page: Page, cited_conversation: str) -> None:
    page.goto(cited_conversation)
    expect(page.locator("#question")).to_be_focused()
    for _ in range(20):
        page.keyboard.press("Shift+Tab")
        if page.evaluate("document.activeElement.matches('a.source')"):
            break
    page.keyboard.press("Enter")
    expect(page.locator("#panel #passage")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#panel")).to_be_hidden()
    assert page.evaluate("document.activeElement.matches('a.source')")


def test_the_skip_link_is_the_first_stop(page: Page) -> None:
    page.goto("/documents")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()


def test_a_conversation_is_renamed_and_deleted_in_dialogs(page: Page) -> None:
    page.goto("/")
    settled(ask(page, "Which bird is the works' emblem?"))
    page.get_by_role("link", name="Rename conversation").click()
    page.locator("dialog").get_by_label("Title").fill("<b>Emblem</b>")
    page.locator("dialog").get_by_role("button", name="Rename").click()
    expect(page.get_by_role("heading", name="<b>Emblem</b>")).to_be_visible()
    page.get_by_role("link", name="Delete conversation").click()
    page.get_by_role("button", name="Delete conversation").click()
    expect(page.locator("#empty")).to_be_visible()
    expect(page.get_by_role("link", name="<b>Emblem</b>")).to_have_count(0)


HOSTILE = '<img src=x onerror="window.owned=1"><script>window.owned=1</script><b>bold</b>'


def test_markup_in_names_and_documents_is_inert(page: Page, gate_rules: str) -> None:
    name = "<img src=x onerror=window.owned=1>.md"
    content = f"# Osprey {HOSTILE}\n\nThe Osprey hatch is opened by Tuva Lindqvist {HOSTILE} at dawn."
    upload(page, {"name": name, "mimeType": "text/markdown", "buffer": content.encode()}, collection=COLLECTION)
    row = page.locator("tr", has_text=name)
    expect(row).to_have_attribute("data-state", "ready")
    page.goto("/")
    settled(ask(page, f"Who opens the Osprey hatch? {HOSTILE}"))
    expect(page.locator(".question p")).to_have_text(f"Who opens the Osprey hatch? {HOSTILE}")
    assert page.locator("main img, aside img, main script").count() == 0
    assert page.evaluate("window.owned") is None


def test_markup_is_inert_while_it_streams(context: BrowserContext, gate_rules: str) -> None:
    # Not the `page` that fails on any error: a stream that breaks off is logged as one.
    page = context.new_page()
    # What the server sends for a model that writes markup; the browser's part of the promise is tested here.
    pieces = [escape(HOSTILE[i : i + 7]) for i in range(0, len(HOSTILE), 7)]
    body = frame("restart", EMPTY) + "".join(frame("delta", piece) for piece in pieces)
    page.route("**/stream", lambda route: route.fulfill(body=body, content_type="text/event-stream"), times=1)
    page.goto("/")
    answer = ask(page, GATE_QUESTION)
    expect(page.locator(".stream-text")).to_have_text(HOSTILE)
    assert page.locator("main img, main script").count() == 0
    # The broken-off stream is taken up again by the real one.
    settled(answer)
    assert page.locator("main img, main script").count() == 0
    assert page.evaluate("window.owned") is None
