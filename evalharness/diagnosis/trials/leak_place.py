"""Where in a model later positions first reach an earlier one: the module, the operation, the line of code.

The model is run twice, on inputs that differ only after a cut. Every operation is looked at in order of execution:
the first one whose result changes at or before the cut, while what it was given there did not, is where they mix.
"""

from __future__ import annotations

import inspect
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch.overrides import TorchFunctionMode, resolve_name
from torch.utils._pytree import tree_flatten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import nn

    from evalharness.models.protocols import TorchModel

Mixing = Literal["attention", "convolution", "statistics", "summary", "weights", "other"]
"""How positions are mixed. ``statistics``: a normalisation whose mean and variance run over positions; ``summary``: a
mean, a maximum or another reduction over them; ``weights``: a linear layer from positions to positions."""
LONGEST = 160
"""Every operation's result is kept for rows up to this length; for longer ones only those of whole modules are."""

_MIXING: dict[Mixing, tuple[str, ...]] = {
    "attention": ("attention", "multi_head_attention", "softmax"),
    "convolution": ("conv",),
    "statistics": ("_norm", "var", "std"),
    "summary": ("mean", "sum", "amax", "amin", "max", "min", "pool", "logsumexp", "median", "prod", "norm"),
    "weights": ("linear",),
}
_PRODUCTS = ("matmul", "bmm", "einsum", "baddbmm")
_REARRANGED = (
    "getitem", "select", "view", "reshape", "transpose", "permute", "chunk", "split", "unbind", "contiguous", "flatten",
    "unflatten", "squeeze", "unsqueeze", "expand", "clone", "to", "float", "narrow", "index_select", "movedim", "cat",
    "stack", "pad", "T", "mT",
)  # fmt: skip
_TORCH = str(Path(torch.__file__).parent)


@dataclass(frozen=True, slots=True)
class LeakPlace:
    """The first place where later positions reach an earlier one.

    ``module`` is the path of the innermost module there ("blocks.0.mixer"; "" is the model itself), ``class_name`` its
    class. ``operation`` is torch's name of what mixed, ``source`` the line of code that called it ("model.py:41"); both
    are None if only the module is known.
    """

    module: str
    class_name: str
    mixing: Mixing
    operation: str | None = None
    source: str | None = None


@dataclass(slots=True)
class _Step:
    """One operation, or the call of one module, with what it was given and gave at or before the cut."""

    name: str
    module: str
    source: str | None
    inputs: list[_Value]
    outputs: list[_Value]


@dataclass(frozen=True, slots=True)
class _Value:
    """A tensor's part at or before the cut. ``has_positions``: one of its dimensions is as long as the row."""

    of: int
    has_positions: bool
    kept: torch.Tensor

    def differs(self, other: _Value) -> bool:
        """More than the noise of its own precision."""
        mine, others = self.kept, other.kept
        if mine.shape != others.shape:
            return True
        if not mine.is_floating_point():
            return not torch.equal(mine, others)
        noise = 16 * torch.finfo(mine.dtype).eps
        mine, others = mine.double(), others.double()
        unequal = (mine - others).abs().where(mine != others, 0.0)
        scale = mine.where(mine.isfinite(), 0.0).abs().max() if mine.numel() else 0.0
        return bool((unequal > noise * scale).any() or (unequal.isnan() & ~(mine.isnan() & others.isnan())).any())


@dataclass
class _Recording:
    """What one run of a model did, in order."""

    length: int
    cut: int
    steps: list[_Step] = field(default_factory=list)
    modules: list[str] = field(default_factory=list)
    alive: list[torch.Tensor] = field(default_factory=list)

    def add(self, name: str, source: str | None, inputs: list[_Value], outputs: list[_Value]) -> None:
        self.steps.append(_Step(name, self.modules[-1] if self.modules else "", source, inputs, outputs))

    def values(self, tree: object) -> list[_Value]:
        """The tensors in what was given or gave, as they are now: an operation may change its input in place."""
        tensors = [leaf for leaf in tree_flatten(tree)[0] if isinstance(leaf, torch.Tensor)]
        self.alive += tensors  # so that an id stays one tensor's own
        return [self._value(tensor) for tensor in tensors]

    def _value(self, tensor: torch.Tensor) -> _Value:
        has_positions = False
        kept = tensor.detach()
        for dimension, size in enumerate(tensor.shape):
            if size == self.length:
                kept, has_positions = kept.narrow(dimension, 0, self.cut + 1), True
        return _Value(id(tensor), has_positions, kept.clone())


class _Operations(TorchFunctionMode):
    """Writes down every function of torch that Python calls."""

    def __init__(self, recording: _Recording) -> None:
        super().__init__()
        self._recording = recording

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: Any = (), kwargs: Any = None
    ) -> Any:
        inputs = self._recording.values((args, kwargs or {}))
        gave = func(*args, **(kwargs or {}))
        self._recording.add(_name(func), _caller(), inputs, self._recording.values(gave))
        return gave


def leak_place(model: TorchModel, ids: torch.Tensor, changed: torch.Tensor, cut: int) -> LeakPlace | None:
    """Find where ``model`` mixes positions after ``cut`` into earlier ones; None if it is not seen.

    ``ids`` and ``changed`` are ``(1, length)`` and differ only after ``cut``; their logits at or before it differ. The
    model is run twice for the operations, and, if these don't show it, twice more for its modules.
    """
    classes = {name: type(part).__name__ for name, part in model.module.named_modules()}
    ways = [_of_operations, _of_modules] if ids.shape[1] <= LONGEST else [_of_modules]
    for record in ways:
        first, second = record(model, ids, cut), record(model, changed, cut)
        step = _first_mixing(first.steps, second.steps)
        if step is not None:
            softmax = any("softmax" in other.name for other in first.steps if other.module == step.module)
            return _place(step, classes[step.module], is_module=record is _of_modules, softmax=softmax)
    return None


def _of_operations(model: TorchModel, ids: torch.Tensor, cut: int) -> _Recording:
    recording = _Recording(ids.shape[1], cut)
    with _modules_named(model.module, recording), _Operations(recording):
        model.logits(ids)
    return recording


def _of_modules(model: TorchModel, ids: torch.Tensor, cut: int) -> _Recording:
    recording = _Recording(ids.shape[1], cut)

    def add(name: str, _: nn.Module, args: object, kwargs: object, gave: object) -> None:
        recording.modules.append(name)
        recording.add("", None, recording.values((args, kwargs)), recording.values(gave))
        recording.modules.pop()

    with ExitStack() as hooks:
        for name, part in model.module.named_modules():
            hook = part.register_forward_hook(partial(add, name), with_kwargs=True)
            hooks.callback(hook.remove)
        model.logits(ids)
    return recording


@contextmanager
def _modules_named(module: nn.Module, recording: _Recording) -> Iterator[None]:
    """While the model runs, ``recording`` knows the innermost module that is being run."""

    def enter(name: str, *_: object) -> None:
        recording.modules.append(name)

    def leave(*_: object) -> None:
        recording.modules.pop()

    with ExitStack() as hooks:
        for name, part in module.named_modules():
            hooks.callback(part.register_forward_pre_hook(partial(enter, name)).remove)
            hooks.callback(part.register_forward_hook(leave, always_call=True).remove)
        yield


def _first_mixing(first: Sequence[_Step], second: Sequence[_Step]) -> _Step | None:
    """The first step whose result changed at or before the cut though what it was given there did not.

    What comes without positions (a mean over them, say) is followed back to the step that made it, and past those that
    only rearrange. None as well if the runs part: a model may call other experts for other tokens.
    """
    made_by: dict[int, int] = {}
    for number, (one, other) in enumerate(zip(first, second, strict=False)):
        if (one.name, one.module) != (other.name, other.module):
            return None
        if _mixed(one.outputs, other.outputs) and not _mixed(one.inputs, other.inputs):
            way = [first[n] for n in _way_back(number, first, second, made_by)]
            return next((step for step in reversed(way) if step.name not in _REARRANGED), way[-1])
        made_by |= {value.of: number for value in one.outputs}
    return None


def _mixed(one: Sequence[_Value], other: Sequence[_Value]) -> bool:
    return any(a.has_positions and b.has_positions and a.differs(b) for a, b in zip(one, other, strict=False))


def _way_back(number: int, first: Sequence[_Step], second: Sequence[_Step], made_by: dict[int, int]) -> list[int]:
    """Step ``number``, and before it those that its inputs without positions come from, back to the first of them."""
    sources = [
        made_by[a.of]
        for a, b in zip(first[number].inputs, second[number].inputs, strict=False)
        if not a.has_positions and a.of in made_by and made_by[a.of] < number and a.differs(b)
    ]
    return [number, *(_way_back(min(sources), first, second, made_by) if sources else ())]


def _place(step: _Step, class_name: str, *, is_module: bool, softmax: bool) -> LeakPlace:
    if is_module or step.name in _REARRANGED:
        return LeakPlace(step.module, class_name, _mixing(class_name.lower(), class_name, softmax=softmax))
    mixing = _mixing(step.name, class_name, softmax=softmax)
    return LeakPlace(step.module, class_name, mixing, step.name, step.source)


def _mixing(name: str, class_name: str, *, softmax: bool) -> Mixing:
    """``softmax``: the module calls one, so that a product of its matrices is an attention's."""
    if any(product in name for product in _PRODUCTS):
        return "attention" if softmax or "att" in class_name.lower() else "weights"
    return next((mixing for mixing, names in _MIXING.items() if any(part in name for part in names)), "other")


def _name(function: Callable[..., Any]) -> str:
    """The name of an operation in torch, without its module and without underscores: "softmax", "matmul", "getitem"."""
    return str(resolve_name(function) or function).rpartition(".")[2].strip("_")


def _caller() -> str | None:
    """The line of the model's own code that is running: the innermost that is neither torch's nor of this file."""
    frame = inspect.currentframe()
    while frame is not None:
        path = frame.f_code.co_filename
        if not path.startswith(_TORCH) and path != __file__:
            return f"{_short(path)}:{frame.f_lineno}" if not path.startswith("<") else None
        frame = frame.f_back
    return None


def _short(path: str) -> str:
    """A file's name; of an installed package, the path within it."""
    _, installed, within = path.partition("site-packages/")
    return within if installed else Path(path).name
