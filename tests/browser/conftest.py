"""One running application for all browser tests, and pages that fail on any error in the console."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.steps import sign_in, upload
from tests.live import LiveServer, running

# A small model on a busy machine reads its prompt for half a minute.
PATIENCE_MS = 120_000
COLLECTION = "Merrowby handbook (sample)"
POLICY = b"""# Gate rules

## Kestrel gate

The Kestrel gate is locked by Marguerite Okonkwo at 19:45 every evening.

## Heron gate

The Heron gate is open to visitors on Thursdays from 08:10.
"""


@pytest.fixture(scope="session")
def live_app(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[LiveServer]:
    """The real server."""
    with running(tmp_path_factory.mktemp("live") / "data") as app:
        yield app


@pytest.fixture(scope="session", autouse=True)
def _patient() -> None:
    expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def signed_in_state(browser: Browser, live_app: LiveServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The admin's cookies: signing in once is enough, and more often would be slowed down."""
    path = tmp_path_factory.mktemp("state") / "admin.json"
    context = browser.new_context(base_url=live_app.url)
    sign_in(context.new_page(), live_app)
    context.storage_state(path=path)
    context.close()
    return path


@pytest.fixture(scope="session")
def gate_rules(browser: Browser, live_app: LiveServer, signed_in_state: Path) -> str:
    """A document with facts to ask for, READY. Returns its name."""
    name = "gate-rules.md"
    context = browser.new_context(base_url=live_app.url, storage_state=signed_in_state)
    page = context.new_page()
    upload(page, {"name": name, "mimeType": "text/markdown", "buffer": POLICY}, collection=COLLECTION)
    expect(page.locator("tr", has_text=name)).to_have_attribute("data-state", "ready", timeout=PATIENCE_MS)
    context.close()
    return name


@pytest.fixture(scope="session")
def manual(browser: Browser, live_app: LiveServer, signed_in_state: Path) -> str:
    """The sample's PDF, READY. Returns its name."""
    name = "health-and-safety-manual.pdf"
    context = browser.new_context(base_url=live_app.url, storage_state=signed_in_state)
    page = context.new_page()
    page.goto("/documents")
    expect(page.locator("tr", has_text=name)).to_have_attribute("data-state", "ready", timeout=PATIENCE_MS)
    context.close()
    return name


@pytest.fixture
def cited_conversation(live_app: LiveServer, gate_rules: str, manual: str) -> str:
    """The address of a conversation whose answer cites both documents: what a small model cites varies."""
    return "/chat/" + live_app.shell(
        f"""
from ingestion.models import Chunk, Document
from ragapp.accounts.models import User
from ragapp.chat.models import Citation, Conversation, Message
conversation = Conversation.objects.create(owner=User.objects.get(username={live_app.username!r}), title="Gates")
Message.objects.create(conversation=conversation, role="question", text="When is the gate locked?")
answer = Message.objects.create(
    conversation=conversation, role="answer", state="finished", text="At **19:45** every evening. [1] It is safer. [2]"
)
kestrel = Chunk.objects.get(document__name={gate_rules!r}, text__contains="Kestrel")
manual = Chunk.objects.filter(document__name={manual!r}, page=2).first()
for n, chunk in enumerate([kestrel, manual], start=1):
    Citation.objects.create(
        message=answer, n=n, document=chunk.document, chunk=chunk, title=chunk.document.title, page=chunk.page,
        heading=chunk.heading, quote=chunk.text[:200], score=0.8,
    )
print(conversation.pk)
"""
    )


@pytest.fixture
def context(browser: Browser, live_app: LiveServer, signed_in_state: Path) -> Iterator[BrowserContext]:
    """The admin's browser."""
    context = browser.new_context(
        base_url=live_app.url, storage_state=signed_in_state, viewport={"width": 1280, "height": 800}
    )
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page on which no script may fail, no policy may be broken and no dialog may open."""
    page = context.new_page()
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(f"error: {error}"))
    page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    page.on("dialog", lambda dialog: troubles.append(f"dialog: {dialog.message}"))
    yield page
    assert not troubles
