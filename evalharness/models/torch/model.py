"""Modules as generation and diagnosis see them: ids in, logits for every position out."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from evalharness.errors import CheckpointError, EvaluationError
from evalharness.models.log_softmax import log_probabilities_of
from evalharness.models.torch.error_text import first_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.models.protocols import Capability, TorchModel

# Two rows of three: no two of rows, length and vocabulary are the same number, and no row can be taken for positions.
_PROBE = ((1, 0, 1), (0, 1, 1))

Forward = Callable[[nn.Module, Tensor], Any]


def call_module(module: nn.Module, ids: Tensor) -> Any:
    """Call a module as it is, on ids alone."""
    return module(ids)


class UncachedModel:
    """Any torch module without a cache. Satisfies :class:`evalharness.models.protocols.TorchModel`."""

    capabilities: frozenset[Capability] = frozenset({"ids_in", "prompt_logprobs", "full_logits", "module"})
    supports_cache = False

    def __init__(
        self, module: nn.Module, *, forward: Forward = call_module, context_length: int | None, vocabulary_rows: int
    ) -> None:
        self.module = module
        self.context_length = context_length
        self.vocabulary_rows = vocabulary_rows
        self.device = _device_of(module)
        self.fewest_rows: int | None = None
        self._forward = forward

    def logits(self, ids: Tensor) -> Tensor:
        """Return logits ``(rows, length, vocabulary)`` for ids ``(rows, length)``: float32 (float64 if the model is).

        Where memory runs out, the rows are run in halves, and ``fewest_rows`` says how few at a time it came to. Raises
        EvaluationError where the forward pass fails, or one row alone is too much.
        """
        return self._run(self._forward, ids)

    def tail_logits(self, ids: Tensor, count: int) -> Tensor:
        """Return logits ``(rows, count, vocabulary)`` at the last ``count`` positions. Raises as :meth:`logits`."""
        return self.logits(ids)[:, -count:]

    def _run(self, forward: Forward, ids: Tensor, positions: int | None = None) -> Tensor:
        """The logits of a forward pass that gives ``positions`` of each row, those of all ids where it is None."""
        with torch.no_grad():
            try:
                output = forward(self.module, ids)
            except Exception as error:
                if is_out_of_memory(error) and len(ids) > 1:
                    return self._in_halves(forward, ids, positions)
                raise EvaluationError(self._failure(error, ids)) from error
        logits = pick_logits(output)
        if logits is None or len(logits) != len(ids) or logits.shape[1] not in {positions, ids.shape[1]}:
            raise EvaluationError(f"the forward pass on ids of shape {tuple(ids.shape)} returns {_describe(output)}")
        # A module may be asked for few positions and give all the same.
        return widened(logits if positions is None else logits[:, -positions:])

    def _failure(self, error: Exception, ids: Tensor) -> str:
        """What failed. If no context is known, an index out of range means that the context is shorter."""
        fails = f"the forward pass fails on ids of shape {tuple(ids.shape)}: {first_line(error)}"
        if self.context_length is None and isinstance(error, (IndexError, AssertionError)):
            return f"the context is shorter than {ids.shape[1]}: set [model] context_length; {fails}"
        return fails

    def differentiable_logits(self, ids: Tensor) -> Tensor:
        """The same logits with their graph, for whoever asks for gradients. Raises EvaluationError without logits."""
        logits = pick_logits(self._forward(self.module, ids))
        if logits is None:
            raise EvaluationError("the forward pass returns no logits")
        return widened(logits)

    def _in_halves(self, forward: Forward, ids: Tensor, positions: int | None) -> Tensor:
        half = len(ids) // 2
        self.fewest_rows = min(half, self.fewest_rows or half)
        return torch.cat([self._run(forward, part, positions) for part in (ids[:half], ids[half:])])

    def score(self, rows: Sequence[Sequence[int]]) -> list[list[float]]:
        """For each row of n ids, the n - 1 log-probabilities (nats) of all ids but the first, given those before."""
        return [log_probabilities(self, row) for row in rows]

    def cached_logits(self, *_args: Any, **_kwargs: Any) -> tuple[Tensor, Any]:
        """Not possible: the module's forward pass has no cache."""
        raise EvaluationError(f"{type(self.module).__name__} is run without a cache: use logits()")


def log_probabilities(model: TorchModel, row: Sequence[int]) -> list[float]:
    """The log-probabilities (nats) of all ids of ``row`` but the first, from one pass in double precision."""
    ids = torch.tensor([row], device=model.device)
    values: list[float] = log_probabilities_of(model.logits(ids[:, :-1])[0], ids[0, 1:]).tolist()
    return values


def is_out_of_memory(error: Exception) -> bool:
    """Whether a forward pass failed for want of memory: on a device, or on the CPU, which has no error of its own."""
    return isinstance(error, torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )


def live_model(module: nn.Module, length: int) -> UncachedModel:
    """Make a module that is being trained a model, whatever it needs to return logits for all of ``length`` ids.

    A plain call on ids; where that gives the last position alone, as nanoGPT's does, one with targets beside them; a
    model of transformers without its cache. Raises EvaluationError where none gives logits for every position.
    """
    ids = torch.zeros((1, min(2, length)), dtype=torch.int64, device=_device_of(module))
    configured = hasattr(getattr(module, "config", None), "use_cache")
    ways: tuple[Forward, ...] = (_without_cache, call_module) if configured else (call_module, _with_targets)
    refused: list[str] = []
    for forward in ways:
        model = UncachedModel(module, forward=forward, context_length=length, vocabulary_rows=0)
        try:
            model.vocabulary_rows = model.logits(ids).shape[-1]
        except EvaluationError as error:
            refused.append(str(error))
        else:
            return model
    raise EvaluationError(refused[0])


def _without_cache(module: nn.Module, ids: Tensor) -> Any:
    return module(input_ids=ids, use_cache=False)


def _with_targets(module: nn.Module, ids: Tensor) -> Any:
    return module(ids, ids)


def pick_logits(output: Any) -> Tensor | None:
    """Return the logits in what a forward pass returned, or None.

    A tensor; an object with ``.logits`` or a mapping with that key; else the first floating tensor with three
    dimensions in a tuple.
    """
    if isinstance(output, dict):
        output = output.get("logits", tuple(output.values()))
    output = getattr(output, "logits", output)
    candidates = output if isinstance(output, (tuple, list)) else [output]
    for item in candidates:
        if isinstance(item, Tensor) and item.is_floating_point() and item.dim() == 3:
            return item
    return None


def widened(logits: Tensor) -> Tensor:
    """Return logits in float32, or in float64 where they are that already."""
    return logits if logits.dtype == torch.float64 else logits.float()


@dataclass(frozen=True, slots=True)
class Shape:
    """What one small forward pass shows: rows of the output, and of the embedding that the ids go into, if found.

    ``position_rows``: how many positions have an embedding, where they are embedded.
    """

    vocabulary_rows: int
    embedding_rows: int | None
    position_rows: int | None = None


def probe(module: nn.Module, forward: Forward, name: str, *, has_forward_key: bool) -> Shape:
    """Run a forward pass on ids (2, 3) and return what it shows. ``name`` is the checkpoint's, for messages.

    Raises CheckpointError where the pass fails or returns anything but logits for every position.
    """
    ids = torch.tensor(_PROBE, dtype=torch.int64, device=_device_of(module))
    rows, length = ids.shape
    seen: list[int] = []
    positions: list[int] = []
    embeddings = [part for part in module.modules() if isinstance(part, nn.Embedding)]
    hooks = [part.register_forward_pre_hook(_watch(ids, seen, positions)) for part in embeddings]
    try:
        with torch.no_grad():
            output = forward(module, ids)
    finally:
        for hook in hooks:
            hook.remove()
    way_out = "the function under `forward`" if has_forward_key else 'name a function: forward = "models.py:all_logits"'
    expected = f"expected logits ({rows}, {length}, vocabulary) for every position; {way_out}"
    logits = pick_logits(output)
    if logits is None:
        raise CheckpointError(f"{name}: forward on ids ({rows}, {length}) returns {_describe(output)}, {expected}")
    if logits.shape[:2] != ids.shape:
        only_last = " (only the last position)" if logits.shape[:2] == (rows, 1) else ""
        shape = tuple(logits.shape)
        raise CheckpointError(f"{name}: forward on ids ({rows}, {length}) returns {shape}{only_last}, {expected}")
    return Shape(logits.shape[2], seen[0] if seen else None, min(positions, default=None))


def way_to_call(
    module: nn.Module, forward: Forward, name: str, *, has_forward_key: bool
) -> tuple[Forward, Shape, tuple[str, ...]]:
    """Return how a module gives logits for every position, their shape, and a note if that is not ``forward`` alone.

    A plain call that gives the last position alone, as nanoGPT's does, is given targets too. Raises as :func:`probe`.
    """
    try:
        return forward, probe(module, forward, name, has_forward_key=has_forward_key), ()
    except CheckpointError:
        if forward is not call_module:
            raise
        with contextlib.suppress(Exception):  # the module takes no targets: what is wrong with the call stands
            shape = probe(module, _with_targets, name, has_forward_key=has_forward_key)
            return (
                _with_targets,
                shape,
                ("the model is called with targets: without them it gives the last logits alone",),
            )
        raise


def _device_of(module: nn.Module) -> torch.device:
    for tensor in (*module.parameters(), *module.buffers()):
        return tensor.device
    return torch.device("cpu")


def _watch(ids: Tensor, seen: list[int], positions: list[int]) -> Callable[[nn.Module, tuple[Any, ...]], None]:
    """Note the rows of an embedding that the ids go into, or their positions 0, 1, 2 (or from another number on)."""
    ordered = torch.arange(ids.shape[1], device=ids.device)

    def note_rows(part: nn.Module, inputs: tuple[Any, ...]) -> None:
        given = inputs[0] if inputs else None
        rows = int(getattr(part, "num_embeddings", 0))
        if not isinstance(given, Tensor):
            return
        if given.numel() == ids.numel() and torch.equal(given.reshape(ids.shape), ids):
            seen.append(rows)
        elif given.shape[-1:] == ordered.shape and torch.equal(given - given[..., :1], ordered.expand_as(given)):
            positions.append(rows - int(given.min()))

    return note_rows


def _describe(output: Any) -> str:
    if isinstance(output, Tensor):
        return f"a tensor {tuple(output.shape)} of {str(output.dtype).removeprefix('torch.')}"
    if isinstance(output, (tuple, list)):
        return f"a {type(output).__name__} of {', '.join(_describe(item) for item in output[:3]) or 'nothing'}"
    return f"a {type(output).__name__} without logits"
