"""Folders of other tools that hold no weights as they are: what they are, and which command makes weights of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BESIDE_WEIGHTS = ("optim*", "scheduler*", "rng_state*", "random_states*", "scaler*", "sampler*")


def what_to_do(folder: Path) -> str | None:
    """What a folder holds in place of weights, and what to do; None for nothing that is known."""
    return next(_layouts(folder), None)


def _layouts(folder: Path) -> Iterator[str]:
    if shards := _first(folder, "*_model_states.pt"):
        yield f"shards of DeepSpeed: gather them by cd {_top(shards)} && python zero_to_fp32.py . gathered"
    if shard := _first(folder, "*.distcp"):
        there = shard.parent
        yield (
            "a distributed checkpoint of torch: gather it by "
            f"python -m torch.distributed.checkpoint.format_utils dcp_to_torch {there} {there}.pt"
        )
    if _first(folder, "latest_checkpointed_iteration.txt") or _first(folder, "model_optim_rng.pt"):
        yield "a checkpoint of Megatron-LM: convert it to Hugging Face's form by its tools/checkpoint/convert.py"
    if beside := sorted(path.name for pattern in _BESIDE_WEIGHTS for path in folder.glob(pattern)):
        yield f"only what training keeps beside the weights: {', '.join(beside)}"


def _first(folder: Path, pattern: str) -> Path | None:
    """The first file of such a name in the folder or two folders below it."""
    return next((path for deep in ("", "*/", "*/*/") for path in sorted(folder.glob(deep + pattern))), None)


def _top(shards: Path) -> Path:
    """The folder with the script that gathers them: DeepSpeed puts it above the folder of a step."""
    return shards.parent if (shards.parent / "zero_to_fp32.py").is_file() else shards.parent.parent
