"""What the parsers' tests share."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ingestion.config import IngestionConfig
from ingestion.parsing.base import ParsedDocument
from ingestion.parsing.runner import parse_file


@pytest.fixture
def config(tmp_path: Path) -> IngestionConfig:
    return IngestionConfig(files_dir=tmp_path / "files", index_dir=tmp_path / "index")


@pytest.fixture
def parse(config: IngestionConfig) -> Callable[[Path], ParsedDocument]:
    """Parse a file in the real child, by its own name."""
    return lambda path: parse_file(path, name=path.name, config=config)
