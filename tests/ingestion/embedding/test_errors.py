"""Whatever goes wrong with a model is one error."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from ingestion.embedding.openai_compatible import OpenAICompatibleEmbedder
from ingestion.embedding.sentence_transformer import SentenceTransformerEmbedder
from ingestion.errors import EmbedderUnavailableError


@contextmanager
def answering(status: int, body: bytes) -> Iterator[OpenAICompatibleEmbedder]:
    """An embedder whose server gives this one answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Location", "http://127.0.0.1:9/elsewhere")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        embedder = OpenAICompatibleEmbedder(url=f"http://127.0.0.1:{server.server_port}/v1/", model="m")
        try:
            yield embedder
        finally:
            embedder.close()
            server.shutdown()
            thread.join()


def rows(*embeddings: object) -> bytes:
    return json.dumps({"data": [{"index": at, "embedding": each} for at, each in enumerate(embeddings)]}).encode()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b"broken"),
        (401, b"no"),
        (307, b""),
        (200, b"no json"),
        (200, b"[]"),
        (200, b'{"data": null}'),
        (200, rows()),
        (200, rows([1.0], [1.0])),
        (200, rows([0.0, 0.0])),
        (200, rows([])),
        (200, rows(["a"])),
        (200, rows(None)),
    ],
)
def test_answers_that_are_no_embedding_are_unavailable(status: int, body: bytes) -> None:
    with answering(status, body) as embedder, pytest.raises(EmbedderUnavailableError):
        embedder.embed_query("words")


def test_no_server_is_unavailable() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        embedder = OpenAICompatibleEmbedder(url=f"http://127.0.0.1:{held.getsockname()[1]}", model="m")
        with pytest.raises(EmbedderUnavailableError):
            embedder.embed_query("words")
        embedder.close()


USES: list[Callable[[SentenceTransformerEmbedder], object]] = [
    lambda embedder: embedder.embed_query("words"),
    lambda embedder: embedder.embed_documents(["words"]),
    lambda embedder: embedder.count_tokens("words"),
    lambda embedder: embedder.dimension,
]


@pytest.mark.parametrize("use", USES)
def test_folder_without_a_model_is_unavailable(
    tmp_path: Path, use: Callable[[SentenceTransformerEmbedder], object]
) -> None:
    with pytest.raises(EmbedderUnavailableError):
        use(SentenceTransformerEmbedder(name="m", path=tmp_path / "absent"))


def test_model_from_a_folder_never_asks_the_network(models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **named: object) -> None:
        raise AssertionError("a look-up")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    embedder = SentenceTransformerEmbedder(name="all-MiniLM-L6-v2", path=models_dir / "all-MiniLM-L6-v2")
    assert len(embedder.embed_query("words")) == embedder.dimension == 384
