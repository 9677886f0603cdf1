"""Which files are weights, by their names alone."""

from __future__ import annotations

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")
INDEX_SUFFIX = ".index.json"
WEIGHT_SUFFIXES = (".pt", ".pth", ".bin", ".ckpt", ".safetensors")
GGUF_SUFFIX = ".gguf"

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
)
_BIN_NAMES = ("pytorch_model", "model")


def is_weights_name(name: str) -> bool:
    """Whether a file of this name holds a model's weights, or is the index of its shards; an adapter's do not count."""
    if name.startswith(_NOT_WEIGHTS):
        return False
    suffix = f".{name.rpartition('.')[2]}"
    return name.endswith(INDEX_SUFFIX) or (
        suffix in WEIGHT_SUFFIXES and (suffix != ".bin" or name.startswith(_BIN_NAMES))
    )
