"""A real cross-encoder, tiny and untrained: the library's whole path, and what goes wrong with it."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ingestion.config import IngestionConfig
from ingestion.embedding.cross_encoder import CrossEncoderScorer
from ingestion.errors import EmbedderUnavailableError
from ingestion.factory import pair_scorer_for

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "how", "many", "days", "of", "leave", "thirty", "travel")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One layer of 16 numbers, with random weights."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizer

    folder = tmp_path_factory.mktemp("cross-encoder")
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        initializer_range=1.0,
    )
    config.num_labels = 1
    BertForSequenceClassification(config).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    BertTokenizer(vocab=str(folder / "vocab.txt"), model_max_length=64).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def scorer(model: Path) -> CrossEncoderScorer:
    return CrossEncoderScorer(name="tiny", path=model)


TEXTS = ["thirty days of leave", "travel", "leave " * 500, "", "how many"]


def test_each_text_has_a_score_of_its_own_in_order(scorer: CrossEncoderScorer) -> None:
    together = scorer.pair_scores("how many days of leave", TEXTS * 9)
    assert len(together) == len(TEXTS) * 9
    assert all(0.0 <= score <= 1.0 for score in together)
    assert len({round(score, 3) for score in together[: len(TEXTS)]}) > 1
    for at, text in enumerate(TEXTS):
        assert scorer.pair_scores("how many days of leave", [text])[0] == pytest.approx(together[at], abs=0.02)


def test_no_texts_load_no_model(tmp_path: Path) -> None:
    assert CrossEncoderScorer(name="absent", path=tmp_path / "absent").pair_scores("days", []) == []


def test_many_threads_may_ask_at_once(model: Path) -> None:
    fresh = CrossEncoderScorer(name="tiny", path=model)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: fresh.pair_scores("leave", TEXTS), range(8)))
    assert all(each == pytest.approx(found[0], abs=0.02) for each in found)


def test_a_folder_without_a_model_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(EmbedderUnavailableError):
        CrossEncoderScorer(name="absent", path=tmp_path / "absent").pair_scores("days", ["leave"])


def test_the_configuration_chooses_it_and_none_is_the_default(tmp_path: Path, model: Path) -> None:
    config = IngestionConfig(files_dir=tmp_path, index_dir=tmp_path)
    assert pair_scorer_for(config) is None
    chosen = pair_scorer_for(config.model_copy(update={"reranker_model": "tiny", "reranker_path": model}))
    assert chosen is not None
    assert chosen.name == "tiny"
    assert len(chosen.pair_scores("leave", ["travel"])) == 1
