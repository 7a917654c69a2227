"""vLLM as `deploy/vllm_cpu.py` starts it: what ragapp relies on, asked over plain HTTP."""

import json
from collections.abc import Iterator

import httpx
import pytest

from deploy.vllm_cpu import VllmServer

QUESTION = [{"role": "user", "content": "What is the capital of France? Answer in one short sentence."}]


@pytest.fixture
def client(vllm_server: VllmServer) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {vllm_server.api_key}"}
    with httpx.Client(base_url=vllm_server.base_url, headers=headers, timeout=120, trust_env=False) as client:
        yield client


def test_it_answers_a_question(client: httpx.Client, vllm_server: VllmServer) -> None:
    answer = client.post("/chat/completions", json=_request(vllm_server)).json()

    assert "Paris" in answer["choices"][0]["message"]["content"]
    assert answer["choices"][0]["finish_reason"] == "stop"


def test_it_streams_the_same_answer_with_its_usage(client: httpx.Client, vllm_server: VllmServer) -> None:
    request = {**_request(vllm_server), "stream": True, "stream_options": {"include_usage": True}}

    with client.stream("POST", "/chat/completions", json=request) as response:
        lines = [line.removeprefix("data: ") for line in response.iter_lines() if line.startswith("data: ")]

    assert lines[-1] == "[DONE]"
    chunks = [json.loads(line) for line in lines[:-1]]
    deltas = [choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"]]
    assert "Paris" in "".join(deltas)
    assert len([delta for delta in deltas if delta]) > 1
    assert chunks[-1]["usage"]["completion_tokens"] > 1


def test_it_names_the_model_as_it_was_told(client: httpx.Client, vllm_server: VllmServer) -> None:
    assert [model["id"] for model in client.get("/models").json()["data"]] == [vllm_server.model]


def test_it_refuses_who_has_no_key(client: httpx.Client, vllm_server: VllmServer) -> None:
    answer = client.post("/chat/completions", json=_request(vllm_server), headers={"Authorization": "Bearer guess"})

    assert answer.status_code == httpx.codes.UNAUTHORIZED


def test_a_prompt_with_the_same_beginning_is_read_from_the_cache(client: httpx.Client, vllm_server: VllmServer) -> None:
    rules = {"role": "system", "content": "Answer only from the passages, and say so where they are silent. " * 20}
    request = {**_request(vllm_server), "messages": [rules, *QUESTION]}

    client.post("/chat/completions", json=request).raise_for_status()
    usage = client.post("/chat/completions", json=request).json()["usage"]

    assert usage["prompt_tokens_details"]["cached_tokens"] > 0.8 * usage["prompt_tokens"]


def _request(server: VllmServer) -> dict[str, object]:
    return {"model": server.model, "messages": QUESTION, "max_tokens": 30, "temperature": 0}
