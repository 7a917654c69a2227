"""What every chat model must do, whichever adapter and server is behind it."""

import re
from contextlib import aclosing
from dataclasses import replace

import pytest

from ragapp.gateway.base import ChatDelta, ChatMessage, ChatModel, ChatRequest
from ragapp.gateway.errors import ChatModelError

QUESTION = ChatRequest(
    messages=(
        ChatMessage("system", "You answer in one short sentence."),
        ChatMessage("user", "Count from one to ten, as words."),
    ),
    max_tokens=24,
    cache_salt="a" * 64,
)


class ChatModelContract:
    """Subclass with a `model` fixture that yields a ChatModel ready to answer."""

    @pytest.fixture
    def model(self) -> ChatModel:
        raise NotImplementedError

    async def test_a_reply_comes_in_pieces_with_a_reason_for_its_end_and_usage(self, model: ChatModel) -> None:
        deltas = await _all(model, QUESTION)
        assert len([delta for delta in deltas if delta.text]) > 1
        assert [d.finish_reason for d in deltas if d.finish_reason] in (["stop"], ["length"])
        usage = [delta.usage for delta in deltas if delta.usage][-1]
        assert usage.prompt_tokens > 0
        assert 0 < usage.completion_tokens <= QUESTION.max_tokens

    async def test_the_same_question_at_temperature_zero_gives_the_same_reply(self, model: ChatModel) -> None:
        first, second = [await _all(model, QUESTION) for _ in range(2)]
        assert _text(first) == _text(second) != ""

    async def test_leaving_early_frees_the_model(self, model: ChatModel) -> None:
        long = ChatRequest(messages=QUESTION.messages, max_tokens=2_000)
        async with aclosing(model.stream(long)) as deltas:
            async for delta in deltas:
                if delta.text:
                    break
        assert _text(await _all(model, QUESTION))

    async def test_a_prompt_beyond_the_context_is_an_error_of_ours(self, model: ChatModel) -> None:
        endless = ChatRequest(messages=(ChatMessage("user", "word " * 40_000),), max_tokens=8)
        with pytest.raises(ChatModelError):
            await _all(model, endless)

    async def test_it_tells_how_likely_a_reply_begins(self, model: ChatModel) -> None:
        said = _text(await _all(model, replace(QUESTION, max_tokens=1)))
        found = await model.begins_with(QUESTION, token=said.strip())
        assert found.likelihood is not None
        assert 0.0 < found.likelihood <= 1.0
        assert found.usage.prompt_tokens > 0
        assert (await model.begins_with(QUESTION, token="no token is as long as this")).likelihood == 0.0

    async def test_a_grammar_holds_the_reply_to_one_question_on_one_line(self, model: ChatModel) -> None:
        listing = ChatRequest(messages=(ChatMessage("user", "List ten fruits, each on its own line."),), max_tokens=64)
        assert "\n" in _text(await _all(model, listing))
        held = await _all(model, replace(listing, grammar=r'root ::= [^?\n\r]{1,40} "?"'))
        assert re.fullmatch(r"[^?\n\r]{1,40}\?", _text(held))
        assert [delta.finish_reason for delta in held if delta.finish_reason] == ["stop"]

    async def test_it_says_that_it_is_ready(self, model: ChatModel) -> None:
        assert await model.is_ready()


async def _all(model: ChatModel, request: ChatRequest) -> list[ChatDelta]:
    return [delta async for delta in model.stream(request)]


def _text(deltas: list[ChatDelta]) -> str:
    return "".join(delta.text for delta in deltas)
