"""What measurements on question sets share: how they are called, the encoder, and how a figure is written."""

import argparse
from pathlib import Path

from ingestion.config import IngestionConfig
from ingestion.embedding.sentence_transformer import SentenceTransformerEmbedder
from ragapp.evaluation.measures import Estimate


def arguments(about: str) -> argparse.ArgumentParser:
    """Folders as ragapp.evaluation.question_set describes them, and the encoder."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER", help="a question set")
    parser.add_argument("--split", default="", help="questions of this split alone")
    parser.add_argument("--model", type=Path, default=Path(".cache/models/all-MiniLM-L6-v2"))
    parser.add_argument("--threads", type=int, default=2)
    return parser


def config_for(given: argparse.Namespace, *, folder: Path) -> IngestionConfig:
    """The product's settings; nothing is written into the folder."""
    return IngestionConfig(
        files_dir=folder, index_dir=folder, embedding_path=given.model, embedding_threads=given.threads
    )


def embedder_for(given: argparse.Namespace) -> SentenceTransformerEmbedder:
    """The encoder inside, which has the vectors of tokens too."""
    return SentenceTransformerEmbedder(name=given.model.name, path=given.model, threads=given.threads)


def quiet(step: str, done: int, total: int) -> None:
    """No bar: the table alone is printed."""


def shown(estimate: Estimate) -> str:
    """As docs/quality.md writes figures."""
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"
