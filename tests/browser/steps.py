"""What a person does, as steps that several tests share."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import FilePayload, Locator, Page, expect

from tests.live import LiveServer


def sign_in(page: Page, app: LiveServer) -> None:
    """Through the form."""
    page.goto("/sign-in")
    page.get_by_label("Name").fill(app.username)
    page.get_by_label("Password").fill(app.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Ask your own documents.")).to_be_visible()


def upload(page: Page, *files: FilePayload, collection: str) -> None:
    """Choose files; returns when the list shows each as uploaded."""
    page.goto("/documents")
    options = page.locator("#upload-collection option")
    value = options.filter(has_text=collection).get_attribute("value")
    page.locator("#upload-collection").select_option(value)
    page.locator("#files").set_input_files(list(files))
    expect(page.locator("#upload-list .done")).to_have_count(len(files))


def ask(page: Page, question: str) -> Locator:
    """Type a question and send it by Enter; returns the place of its answer."""
    asked = page.locator(".question").count()
    page.locator("#question").fill(question)
    page.locator("#question").press("Enter")
    expect(page.locator(".question")).to_have_count(asked + 1)
    return page.locator("article.answer").nth(asked)


def settled(answer: Locator) -> Locator:
    """The same answer once nothing more comes."""
    expect(answer).not_to_have_attribute("aria-busy", "true")
    return answer


def watch_lengths(page: Page) -> None:
    """Note every length of the streamed text from now on."""
    page.evaluate(
        """() => {
            window.lengths = new Set();
            new MutationObserver(() => {
                const text = document.querySelector('.stream-text');
                if (text) window.lengths.add(text.textContent.length);
            }).observe(document.getElementById('thread'), {childList: true, subtree: true, characterData: true});
        }"""
    )


def lengths(page: Page) -> list[int]:
    """What `watch_lengths` has noted, without the empty text."""
    noted: list[Any] = page.evaluate("() => [...window.lengths]")
    return sorted(length for length in noted if length)


def serious_violations(page: Page) -> list[tuple[str, list[str]]]:
    """The accessibility rules that the page breaks seriously, with the elements that do."""
    return [
        (violation["id"], [node["html"][:160] for node in violation["nodes"]])
        for violation in Axe().run(page).response["violations"]
        if violation["impact"] in {"serious", "critical"}
    ]
