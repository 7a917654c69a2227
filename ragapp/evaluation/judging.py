"""How near an answer is to the expected one, and what a model inside the perimeter thinks of it.

LlamaIndex's measures and evaluators, whose prompts and scales are known; its types stay in here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ragapp.gateway.base import ChatMessage, ChatModel, ChatRequest

_VERDICT_TOKENS = 300
# The evaluators' scale of correctness, 1 to 5.
_LOWEST, _HIGHEST = 1.0, 5.0


@dataclass(frozen=True)
class Overlap:
    """Of words, without articles and punctuation, each 0..1, as SQuAD and HotpotQA measure it."""

    f1: float
    recall: float


def overlap(answer: str, expected: Sequence[str]) -> Overlap:
    """With the expected answer that is nearest. Markers such as [1] are no words: take them out before."""
    from llama_index.core.evaluation.benchmarks.hotpotqa import f1_score

    scores = [f1_score(answer, each) for each in expected]
    f1, _, recall = max(scores, key=lambda score: (score[0], score[2]), default=(0.0, 0.0, 0.0))
    return Overlap(f1=float(f1), recall=float(recall))


class Judge:
    """A chat model that gives marks. It is as good as the model is: a small one is a poor judge."""

    def __init__(self, model: ChatModel) -> None:
        self._model = model

    @property
    def name(self) -> str:
        """The model's."""
        return self._model.name

    async def correct(self, question: str, *, answer: str, expected: str) -> float | None:
        """0..1 from LlamaIndex's correctness, 1 to 5; None where the judge's words hold no mark."""
        from llama_index.core.evaluation import CorrectnessEvaluator

        evaluator = CorrectnessEvaluator(llm=_as_llm(self._model))
        try:
            judged = await evaluator.aevaluate(query=question, response=answer, reference=expected)
        except ValueError:
            # Its parser wants a mark on a line of its own.
            return None
        if judged.score is None or not _LOWEST <= judged.score <= _HIGHEST:
            return None
        return float((judged.score - _LOWEST) / (_HIGHEST - _LOWEST))

    async def faithful(self, question: str, *, answer: str, passages: Sequence[str]) -> float | None:
        """1 where the judge says that the passages support the answer, else 0."""
        from llama_index.core.evaluation import FaithfulnessEvaluator

        judged = await FaithfulnessEvaluator(llm=_as_llm(self._model)).aevaluate(
            query=question, response=answer, contexts=list(passages)
        )
        return None if judged.score is None else float(judged.score)


def _as_llm(model: ChatModel) -> Any:
    """The model as LlamaIndex wants one. Made in here: a class of its own would import LlamaIndex at once."""
    from llama_index.core.llms import CompletionResponse, CompletionResponseGen, CustomLLM, LLMMetadata

    class InsideModel(CustomLLM):
        @property
        def metadata(self) -> LLMMetadata:
            return LLMMetadata(model_name=model.name, num_output=_VERDICT_TOKENS)

        def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
            raise NotImplementedError("the judge is asked asynchronously")

        def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
            raise NotImplementedError("the judge is asked asynchronously")

        async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
            request = ChatRequest(messages=(ChatMessage("user", prompt),), max_tokens=_VERDICT_TOKENS)
            return CompletionResponse(text="".join([delta.text async for delta in model.stream(request)]))

    return InsideModel()
