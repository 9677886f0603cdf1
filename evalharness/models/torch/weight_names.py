"""Which files are weights, by their names alone."""

from __future__ import annotations

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")
INDEX_SUFFIX = ".index.json"
WEIGHT_SUFFIXES = (".pt", ".pth", ".bin", ".ckpt", ".safetensors")
GGUF_SUFFIX = ".gguf"

_ARCHIVED = (".pth.tar", ".pt.tar", ".ckpt.tar")
"""A habit of the time when torch wrote archives."""

# What trainers write beside the weights. A `.bin` counts only under these names: data sets are `.bin` files too.
_NOT_WEIGHTS = (
    "optim",
    "scheduler",
    "rng_state",
    "training_args",
    "scaler",
    "sampler",
    "random_states",
    "adapter_model",
    "zero_pp_rank",  # DeepSpeed's, of ZeRO's third stage: each has a part of the tensors
)
_OF_AN_OPTIMIZER = "_optim_states.pt"
"""DeepSpeed's, with the rank in front."""
_BIN_NAMES = ("pytorch_model", "model")


def is_weights_name(name: str) -> bool:
    """Whether a file of this name holds a model's weights, or is the index of its shards; an adapter's do not count."""
    if name.startswith(_NOT_WEIGHTS) or name.endswith(_OF_AN_OPTIMIZER):
        return False
    if name.endswith(_ARCHIVED):
        return True
    suffix = f".{name.rpartition('.')[2]}"
    return name.endswith(INDEX_SUFFIX) or (
        suffix in WEIGHT_SUFFIXES and (suffix != ".bin" or name.startswith(_BIN_NAMES))
    )
