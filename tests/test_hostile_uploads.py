"""Files that try it on, sent to the real server: a clear answer each, nothing lost, and the server lives."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pypdf import PdfWriter

from tests.live import LiveServer, wait_for

MIB = 1024 * 1024
MAKE_KEY = """
from ragapp.accounts.models import User
from ragapp.accounts.services import api_key_issue
print(api_key_issue(User.objects.get(), name="test").secret)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[LiveServer]:
    live = LiveServer(data_dir=tmp_path_factory.mktemp("hostile") / "data").start()
    live.wait_ready()
    yield live
    assert live.stop() == 0


@pytest.fixture(scope="module")
def client(server: LiveServer) -> Iterator[httpx.Client]:
    secret = server.command("shell", "-v", "0", "-c", MAKE_KEY).stdout.split()[-1]
    headers = {"Authorization": f"Bearer {secret}"}
    with httpx.Client(base_url=f"{server.url}/api/v1", headers=headers, timeout=60, trust_env=False) as session:
        # Until the sample is read, memory grows by the embedding model.
        wait_for(lambda: _sample_is_read(session), "the sample to be read")
        yield session


def _sample_is_read(client: httpx.Client) -> bool:
    collection = client.get("/collections").json()["items"][0]["id"]
    documents = client.get(f"/collections/{collection}/documents").json()["items"]
    return bool(documents) and all(document["state"] == "ready" for document in documents)


def sent(client: httpx.Client, name: str, content: "bytes | Iterator[bytes]") -> httpx.Response:
    collection = client.get("/collections").json()["items"][0]["id"]
    return client.post(f"/collections/{collection}/documents", files={"file": (name, content)})  # type: ignore[dict-item]


def outcome(client: httpx.Client, response: httpx.Response) -> tuple[str, str | None]:
    """The state that the accepted document ends in, and its error's code."""
    assert response.status_code == 202, response.text
    address = f"/documents/{response.json()['id']}"
    wait_for(lambda: client.get(address).json()["state"] in {"ready", "failed"}, "the document to be settled")
    document = client.get(address).json()
    return document["state"], (document["error"] or {}).get("code")


def test_a_file_that_is_no_pdf(client: httpx.Client) -> None:
    assert outcome(client, sent(client, "report.pdf", b"plain words, no PDF")) == ("failed", "damaged_document")


def test_an_empty_file(client: httpx.Client) -> None:
    response = sent(client, "empty.md", b"")
    assert (response.status_code, response.json()["error"]["code"]) == (422, "empty_document")


def test_an_encrypted_pdf(client: httpx.Client, tmp_path: Path) -> None:
    writer = PdfWriter()
    writer.add_blank_page(200, 200)
    writer.encrypt("secret", algorithm="RC4-128")
    writer.write(tmp_path / "locked.pdf")
    content = (tmp_path / "locked.pdf").read_bytes()
    assert outcome(client, sent(client, "locked.pdf", content)) == ("failed", "encrypted_document")


def test_a_text_file_of_200_mib_is_refused_and_leaves_no_memory_behind(
    client: httpx.Client, server: LiveServer
) -> None:
    before = _resident_kib(server)
    response = sent(client, "huge.txt", b"all work and no play\n" * (200 * MIB // 21))
    assert (response.status_code, response.json()["error"]["code"]) == (413, "upload_too_large")
    assert _resident_kib(server) - before < 100 * 1024


def test_a_name_of_300_characters_with_markup(client: httpx.Client) -> None:
    name = "<img src=x onerror=alert(1)>" + "n" * 268 + ".txt"
    response = sent(client, name, b"The mast is 12 m high.")
    assert outcome(client, response) == ("ready", None)
    shown = response.json()["name"]
    assert len(shown) <= 255
    assert shown.startswith("<img src=x")


def _resident_kib(server: LiveServer) -> int:
    assert server.process is not None
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])
