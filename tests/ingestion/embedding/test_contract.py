"""What every embedder promises, over every embedder."""

import json
import math
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ingestion.embedding.base import Embedder, TokenScorer, Vector
from ingestion.embedding.hashing import HashingEmbedder
from ingestion.embedding.openai_compatible import OpenAICompatibleEmbedder
from ingestion.embedding.sentence_transformer import SentenceTransformerEmbedder

QUESTION = "How many days of vacation do employees get?"
RIGHT = "Employees get thirty days of vacation in a year."
WRONG = "The compiler emits machine code."


class _Server(BaseHTTPRequestHandler):
    """/v1/embeddings over the hashing embedder; vectors are not unit, and come in another order."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != "/v1/embeddings" or self.headers["Authorization"] != "Bearer key":
            self.send_error(401)
            return
        vectors = HashingEmbedder().embed_documents(body["input"])
        rows = [{"index": at, "embedding": [3 * value for value in vector]} for at, vector in enumerate(vectors)]
        answer = json.dumps({"data": rows[::-1], "model": body["model"]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def embedding_server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Server) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def minilm(models_dir: Path) -> Embedder:
    return SentenceTransformerEmbedder(name="all-MiniLM-L6-v2", path=models_dir / "all-MiniLM-L6-v2")


@pytest.fixture(params=["hashing", "minilm", "server"])
def embedder(request: pytest.FixtureRequest) -> Iterator[Embedder]:
    if request.param == "hashing":
        yield HashingEmbedder()
    elif request.param == "minilm":
        yield request.getfixturevalue("minilm")
    else:
        url = request.getfixturevalue("embedding_server")
        remote = OpenAICompatibleEmbedder(url=url, model="m", api_key="key")
        yield remote
        remote.close()


def cosine(one: Vector, other: Vector) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def test_vectors_are_unit_and_of_the_dimension(embedder: Embedder) -> None:
    for vector in (*embedder.embed_documents([RIGHT, WRONG, "x"]), embedder.embed_query(QUESTION)):
        assert len(vector) == embedder.dimension
        assert math.isclose(math.hypot(*vector), 1.0, abs_tol=1e-4)


def test_a_passage_that_answers_is_nearer_than_one_that_does_not(embedder: Embedder) -> None:
    right, wrong = embedder.embed_documents([RIGHT, WRONG])
    question = embedder.embed_query(QUESTION)
    assert cosine(question, right) > cosine(question, wrong)


def test_order_is_kept_over_batches(embedder: Embedder) -> None:
    texts = [f"text number {number} about {'leave ' * (number % 7)}" for number in range(70)]
    together = embedder.embed_documents(texts)
    for at in (0, 33, 69):
        assert cosine(together[at], embedder.embed_documents([texts[at]])[0]) > 0.999


def test_no_texts_give_no_vectors(embedder: Embedder) -> None:
    assert embedder.embed_documents([]) == []


def test_blank_and_very_long_texts_have_vectors(embedder: Embedder) -> None:
    assert len(embedder.embed_documents(["", "word " * 5000])) == 2


def test_tokens_are_counted_upwards(embedder: Embedder) -> None:
    assert embedder.count_tokens("") == 0
    assert embedder.count_tokens("three words here") >= 3
    assert embedder.count_tokens("word " * 1000) >= 1000
    assert embedder.max_tokens >= 128


def test_many_threads_may_embed_at_once(embedder: Embedder) -> None:
    expected = embedder.embed_query(QUESTION)
    with ThreadPoolExecutor(4) as pool:
        found = list(
            pool.map(lambda _: (embedder.embed_query(QUESTION), embedder.embed_documents([RIGHT] * 9)), range(12))
        )
    assert all(cosine(expected, vector) > 0.999 for vector, _ in found)


def test_an_embedder_with_vectors_of_tokens_prefers_the_right_text(embedder: Embedder) -> None:
    if not isinstance(embedder, TokenScorer):
        assert isinstance(embedder, OpenAICompatibleEmbedder), "a server alone gives no vectors of tokens"
        return
    right, wrong, again = embedder.token_scores(QUESTION, [RIGHT, WRONG, RIGHT])
    assert 0.0 <= wrong < right <= 1.0
    assert again == pytest.approx(right, abs=0.02)
    assert embedder.token_scores(QUESTION, []) == []
