"""Which adapter the configuration asks for. Imports an adapter, and what it needs, only to build it."""

from ingestion.config import IngestionConfig
from ingestion.embedding.base import Embedder, PairScorer
from ingestion.index.base import IndexCatalog, IndexIdentity
from ingestion.index.languages import ENGLISH


def embedder_for(config: IngestionConfig) -> Embedder:
    """A server where a URL is set, else the model in this process. Nothing is loaded or asked yet."""
    if config.embedding_url:
        from ingestion.embedding.openai_compatible import OpenAICompatibleEmbedder

        return OpenAICompatibleEmbedder(
            url=config.embedding_url,
            model=config.embedding_model,
            api_key=config.embedding_api_key.get_secret_value(),
        )
    from ingestion.embedding.sentence_transformer import SentenceTransformerEmbedder

    return SentenceTransformerEmbedder(
        name=config.embedding_model, path=config.embedding_path, threads=config.embedding_threads
    )


def pair_scorer_for(config: IngestionConfig) -> PairScorer | None:
    """The cross-encoder in this process, nothing of which is loaded yet; None where none is configured."""
    if not config.reranker_model:
        return None
    from ingestion.embedding.cross_encoder import CrossEncoderScorer

    return CrossEncoderScorer(name=config.reranker_model, path=config.reranker_path, threads=config.embedding_threads)


def identity_for(embedder: Embedder, *, language: str = ENGLISH) -> IndexIdentity:
    """What an index for this embedder is built with; may ask an embedding server for its dimension."""
    return IndexIdentity(embedding_model=embedder.name, dimension=embedder.dimension, language=language)


def catalog_for(config: IngestionConfig) -> IndexCatalog:
    """A Qdrant server where a URL is set, which is asked nothing yet; else the index folder, owned from then on.

    Raises IndexInUseError where another process owns the folder.
    """
    if config.qdrant_url:
        from ingestion.index.qdrant_catalog import QdrantCatalog

        return QdrantCatalog(
            url=config.qdrant_url,
            api_key=config.qdrant_api_key.get_secret_value(),
        )
    from ingestion.index.edge_catalog import EdgeCatalog

    return EdgeCatalog(config.index_dir)
