"""Embeddings and layers that are multiplied by another number than in training.

Gemma multiplies the embedding by the root of its width; Granite and MiniCPM have numbers for it, and for what each
layer adds. A rewrite or a configuration of another family leaves them out.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from torch import Tensor, nn

from evalharness.diagnosis.repair import Repair
from evalharness.diagnosis.trials.kept_values import kept_values
from evalharness.diagnosis.trials.other_value import four_digits, other_value
from evalharness.diagnosis.trials.swapping import changed_outputs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from evalharness.diagnosis.subject import Subject

OF_EMBEDDING = ("embedding_multiplier", "scale_emb", "embed_scale", "embedding_scale", "emb_scale", "scale_embedding")
OF_LAYERS = ("residual_multiplier", "scale_depth", "residual_scale", "residual_scaling", "depth_scale")
EMBEDDING_TIMES = (12.0, 1 / 12.0)
"""Of Granite and MiniCPM, besides the root of the width."""
LAYER_VALUES = (1.0, 0.22, 1.4)
"""None, that of Granite, and that of MiniCPM."""
SAME = 1e-3


def repairs(subject: Subject) -> Iterator[Repair]:
    """The numbers that are kept, and an embedding that is multiplied where none is."""
    model = subject.torch_model
    embedding = _embedding(model.module, model.vocabulary_rows)
    root = math.sqrt(embedding[1]) if embedding else 1.0
    kept = kept_values(model.module, OF_EMBEDDING, int, float)
    if kept:
        yield from _with_values(kept, "embedding_scale", (1.0, root, EMBEDDING_TIMES[0]))
    elif embedding:
        for times in (root, 1 / root, *EMBEDDING_TIMES):
            yield _multiplied(embedding[0], times)
    layers = sum(isinstance(part, nn.ModuleList) for part in model.module.modules()) and _layers(model.module)
    kept = kept_values(model.module, OF_LAYERS, int, float)
    yield from _with_values(kept, "residual_scale", (*LAYER_VALUES, 1 / math.sqrt(max(1, layers))))


def _with_values(kept: dict[str, float], kind: str, values: Sequence[float]) -> Iterator[Repair]:
    own = next(iter(kept.values()), 1.0)
    for value in values if kept else ():
        if not math.isclose(value, own, rel_tol=SAME):
            yield other_value(kept, value, kind=kind, set_to=type(own)(value), shown=four_digits)


def _multiplied(path: str, times: float) -> Repair:
    return Repair(
        kind="embedding_scale",
        words=f"what `{path}` gives multiplied by {times:.4g}",
        place=path,
        remedy=(
            f"Multiply what the embedding `{path}` gives by {times:.4g}, as in training: Gemma's code does so by the "
            "root of the width, and that of other families does not."
        ),
        all_or_nothing=True,
        change=partial(changed_outputs, changes={path: partial(_times, times=times)}),
    )


def _times(given: Tensor, times: float) -> Tensor:
    return given * times


def _embedding(module: nn.Module, rows: int) -> tuple[str, int] | None:
    """The path of the embedding of the tokens, and its width."""
    found: Iterable[tuple[str, nn.Embedding]] = (
        (path, part) for path, part in module.named_modules() if isinstance(part, nn.Embedding)
    )
    return next(((path, part.embedding_dim) for path, part in found if part.num_embeddings == rows), None)


def _layers(module: nn.Module) -> int:
    return max((len(part) for part in module.modules() if isinstance(part, nn.ModuleList)), default=1)
