"""Turn a GGUF file into a folder that vLLM serves: `python gguf_to_hf.py FILE.gguf FOLDER`.

Runs in vLLM's environment, not in ragapp's. Needed where no model hub is in reach: the weights are at hand as GGUF
only, and vLLM's own GGUF loader does not survive a request on a CPU.
"""

import sys
from pathlib import Path
from typing import Any

import torch
from gguf import GGUFReader
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, GgufConfig

TOKEN_IDS = {"bos_token_id": "bos", "eos_token_id": "eos", "pad_token_id": "padding"}


def convert(source: Path, folder: Path) -> None:
    """Write weights in bfloat16, tokenizer, chat template and generation config."""
    fields = GGUFReader(source).fields
    token_ids = {
        name: fields[f"tokenizer.ggml.{field}_token_id"].contents()
        for name, field in TOKEN_IDS.items()
        if f"tokenizer.ggml.{field}_token_id" in fields
    }
    model = _dequantised(source, token_ids)
    tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
    # What transformers derives from the architecture need not be what this model was trained with.
    if "tokenizer.chat_template" in fields:
        tokenizer.chat_template = fields["tokenizer.chat_template"].contents()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _dequantised(source: Path, token_ids: dict[str, int]) -> Any:
    model: Any = AutoModelForCausalLM.from_pretrained(
        source.parent,
        gguf_file=source.name,
        dtype=torch.bfloat16,
        quantization_config=GgufConfig(dequantize=True),
    )
    model = model.to(torch.bfloat16)
    # Saved as it is, the model would still claim to be quantised.
    model.hf_quantizer = None
    model.is_quantized = False
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    for name, value in token_ids.items():
        setattr(model.config, name, value)
    model.generation_config = GenerationConfig(**token_ids)
    return model


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
