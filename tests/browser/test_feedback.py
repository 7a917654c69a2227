"""Thumbs, the inbox and the limits of a question, in a real browser and by the keyboard."""

from playwright.sync_api import Page, expect

from tests.browser.steps import serious_violations


def test_a_thumb_is_given_by_the_keyboard_and_read_in_the_inbox(page: Page, cited_conversation: str) -> None:
    page.goto(cited_conversation)
    thumb = page.get_by_role("link", name="Not a good answer")
    thumb.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Admins will see your name, this question, its answer")
    # While it still fades in, nothing of it has its contrast.
    dialog.evaluate("dialog => Promise.all(dialog.getAnimations().map(each => each.finished)).then(() => null)")
    assert serious_violations(page) == []
    dialog.get_by_label("Something is missing").check()
    dialog.get_by_label("What it should have said").fill("Who holds the key.")
    dialog.get_by_role("button", name="Send").press("Enter")
    expect(dialog).not_to_be_visible()
    expect(page.get_by_role("link", name="You called this answer not good")).to_be_focused()
    page.goto("/feedback")
    item = page.locator(".opinion", has_text="Who holds the key.").first
    expect(item).to_contain_text("When is the gate locked?")
    assert serious_violations(page) == []
    item.get_by_role("button", name="Looked at").click()
    expect(item.locator(".opinion-state")).to_have_text("Looked at")


def test_a_limit_is_chosen_by_the_keyboard_and_said_in_words(page: Page, gate_rules: str, manual: str) -> None:
    page.goto("/")
    page.locator("#limits summary").focus()
    page.keyboard.press("Enter")
    page.get_by_label("PDF").check()
    page.get_by_label("Since").fill("2020-05-01")
    assert serious_violations(page) == []
    page.keyboard.press("Escape")
    expect(page.locator("#limits")).not_to_have_attribute("open", "")
    expect(page.locator("#limits-words")).to_have_text("PDF, since 1 May 2020")
    page.locator("#question").fill("When is the gate locked?")
    page.locator("#question").press("Enter")
    expect(page.locator(".limited-to")).to_have_text("Only in: PDF, since 1 May 2020")
    expect(page.locator("#limits-words")).to_have_text("PDF, since 1 May 2020")
