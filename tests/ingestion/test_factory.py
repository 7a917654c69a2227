"""The configuration chooses the adapters, and choosing loads no model."""

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from ingestion.config import IngestionConfig
from ingestion.embedding.cross_encoder import CrossEncoderScorer
from ingestion.embedding.openai_compatible import OpenAICompatibleEmbedder
from ingestion.embedding.sentence_transformer import SentenceTransformerEmbedder
from ingestion.factory import catalog_for, embedder_for, identity_for, pair_scorer_for
from ingestion.index.base import IndexIdentity
from ingestion.index.edge_catalog import EdgeCatalog
from ingestion.index.qdrant_catalog import QdrantCatalog


@pytest.fixture
def config(tmp_path: Path) -> IngestionConfig:
    return IngestionConfig(files_dir=tmp_path / "files", index_dir=tmp_path / "index")


def test_defaults_are_in_this_process(config: IngestionConfig) -> None:
    assert isinstance(embedder_for(config), SentenceTransformerEmbedder)
    catalog = catalog_for(config)
    assert isinstance(catalog, EdgeCatalog)
    catalog.close()


def test_urls_choose_servers_and_ask_them_nothing(config: IngestionConfig) -> None:
    remote = config.model_copy(
        update={
            "embedding_url": "http://127.0.0.1:9/v1",
            "qdrant_url": "http://127.0.0.1:9",
            "qdrant_api_key": SecretStr("k"),
        }
    )
    assert isinstance(embedder_for(remote), OpenAICompatibleEmbedder)
    assert isinstance(catalog_for(remote), QdrantCatalog)


def test_identity_of_the_default_model_is_read_without_loading_it(models_dir: Path) -> None:
    program = f"""
import sys
from pathlib import Path
from ingestion.config import IngestionConfig
from ingestion.factory import embedder_for, identity_for
folder = Path({str(models_dir)!r}) / "all-MiniLM-L6-v2"
embedder = embedder_for(IngestionConfig(files_dir=Path("f"), index_dir=Path("i"), embedding_path=folder))
assert identity_for(embedder).dimension == 384
assert embedder.count_tokens("three words here") == 3
heavy = {{"torch", "transformers", "sentence_transformers", "llama_index"}} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2])


def test_identity_names_model_and_dimension(models_dir: Path, config: IngestionConfig) -> None:
    local = config.model_copy(update={"embedding_path": models_dir / "all-MiniLM-L6-v2"})
    assert identity_for(embedder_for(local)) == IndexIdentity(embedding_model="all-MiniLM-L6-v2", dimension=384)


def test_identity_names_the_language_of_the_search(models_dir: Path, config: IngestionConfig) -> None:
    local = config.model_copy(update={"embedding_path": models_dir / "all-MiniLM-L6-v2"})
    assert identity_for(embedder_for(local), language="german").language == "german"


def test_a_reranker_is_none_unless_configured_and_choosing_one_loads_nothing(config: IngestionConfig) -> None:
    assert pair_scorer_for(config) is None
    chosen = pair_scorer_for(config.model_copy(update={"reranker_model": "m", "reranker_path": Path("absent")}))
    assert isinstance(chosen, CrossEncoderScorer)
    assert chosen.name == "m"
