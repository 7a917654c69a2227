"""The ingestion package's section of the configuration: frozen values, read from nowhere here."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, SecretStr

from ingestion.index.languages import ENGLISH


class IngestionConfig(BaseModel):
    """Everything that ingestion and search need to know. Composed by the application."""

    model_config = ConfigDict(frozen=True)

    files_dir: Path
    index_dir: Path
    qdrant_url: str = ""
    qdrant_api_key: SecretStr = SecretStr("")
    embedding_model: str = "all-MiniLM-L6-v2"
    embedding_path: Path | None = None
    embedding_url: str = ""
    embedding_api_key: SecretStr = SecretStr("")
    embedding_threads: int = 1
    search_language: str = ENGLISH
    reranker_model: str = ""
    reranker_path: Path | None = None
    max_upload_bytes: int = 100 * 1024 * 1024
    max_text_chars: int = 5_000_000
    parse_timeout_s: float = 120.0
    parse_memory_bytes: int = 1024 * 1024 * 1024
    chunk_tokens: int = 160
    chunk_overlap_tokens: int = 24
