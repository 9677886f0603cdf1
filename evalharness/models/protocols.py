"""What the stages ask of a model and a tokenizer. Structural: no stage needs to import the one that made them.

A model declares what it can do (its ``capabilities``), and whoever needs one of them looks there first. A
:class:`Generator` completes requests, a :class:`Scorer` gives log-probabilities of ids that it is given, and a
:class:`TorchModel` gives the logits of every position and the module itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import torch

    from evalharness.models.requests import Request
    from evalharness.records import Completion

Capability = Literal["ids_in", "ids_out", "prompt_logprobs", "full_logits", "module", "seed", "cache"]
"""What a model can offer.

``ids_in``: it takes ids, not only text. ``ids_out``: its completions carry their ids. ``prompt_logprobs``: it gives
log-probabilities of ids that it is given. ``full_logits``: it gives the logits of the whole vocabulary at every
position. ``module``: its torch module can be looked into. ``seed``: the same seed gives the same completions.
``cache``: it can be run with a cache of keys and values.
"""
CAPABILITY_NAMES: Mapping[Capability, str] = {
    "ids_in": "way to give it token ids",
    "ids_out": "token ids of its completions",
    "prompt_logprobs": "log-probabilities of given tokens",
    "full_logits": "logits of the whole vocabulary",
    "module": "access to its torch module",
    "seed": "seed",
    "cache": "cache",
}
"""Each capability in words, to go after "this model gives no"."""


class Tokenizer(Protocol):
    """Text to ids and back.

    ``encode`` adds no special tokens, ``decode`` keeps them visible. ``vocab_size`` is one more than the highest id
    that has a token.
    """

    vocab_size: int

    def encode(self, text: str) -> list[int]:
        """Return the ids of ``text``; raise ``ValueError`` if the vocabulary lacks a character."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ``ids``."""
        ...


@dataclass(frozen=True, slots=True)
class SplitRule:
    """What a tokenizer does to a text before its vocabulary: the two keys of a ``tokenizer.json``, as it has them."""

    normalizer: dict[str, Any] | None
    pre_tokenizer: dict[str, Any] | None


@runtime_checkable
class RuledTokenizer(Tokenizer, Protocol):
    """A tokenizer whose rule can be another one over the same vocabulary.

    ``rule`` is the one that it has, ``rule_in_file`` that of its file, if the library that read it made another of it.
    """

    rule: SplitRule
    rule_in_file: SplitRule | None

    def names(self) -> list[str]:
        """Return the names of all tokens, the special ones first."""
        ...

    def under(self, rule: SplitRule) -> Tokenizer:
        """Return a tokenizer with the same vocabulary under another rule; ``ValueError`` if the library refuses it."""
        ...


class Model(Protocol):
    """What every model says of itself: what it can do, and its longest input in tokens (None if it has no limit)."""

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What can be asked of it."""
        ...

    @property
    def context_length(self) -> int | None:
        """The longest input in tokens, None if it has no limit."""
        ...


class Generator(Model, Protocol):
    """A model that completes prompts: by ids if it has ``ids_in``, else by text."""

    def complete(self, requests: Sequence[Request]) -> Iterator[Completion]:
        """Yield a completion for each request as it is finished, in no particular order.

        Raises :class:`evalharness.errors.EvaluationError` if the model fails; what was yielded before stands.
        """
        ...

    def usual_s(self, requests: Sequence[Request]) -> float | None:
        """How many seconds ``requests`` usually take, None if that is not known."""
        ...


class Scorer(Model, Protocol):
    """A model that gives the log-probabilities of ids that it is given (``ids_in`` and ``prompt_logprobs``)."""

    def score(self, rows: Sequence[Sequence[int]]) -> list[list[float]]:
        """For each row of n ids, the n - 1 log-probabilities (nats) of all ids but the first, given those before."""
        ...


class TorchModel(Scorer, Protocol):
    """A model as generation and diagnosis see it, in evaluation mode and without gradients.

    ``logits`` takes ids of shape ``(rows, length)`` (int64) and returns float32 logits of shape
    ``(rows, length, vocabulary)``, nats, for every position. It has the capabilities ``full_logits`` and ``module``;
    with ``cache`` there is ``cached_logits``, and ``supports_cache`` says whether generation may rely on it.
    ``device`` is where ids have to be.
    """

    module: torch.nn.Module
    vocabulary_rows: int
    supports_cache: bool
    device: torch.device

    def logits(self, ids: torch.Tensor) -> torch.Tensor:
        """Return logits for every position of ``ids``."""
        ...

    def cached_logits(
        self, ids: torch.Tensor, attention_mask: torch.Tensor, position_ids: torch.Tensor, cache: Any
    ) -> tuple[torch.Tensor, Any]:
        """Logits of the new ids ``(rows, new)`` after what ``cache`` holds (None at first), and the longer cache.

        ``attention_mask`` is ``(rows, held + new)``, 0 for each slot that holds nothing for that row.
        """
        ...


def cached_logits_at(
    model: TorchModel,
    ids: torch.Tensor,
    attention_mask: torch.Tensor,
    position_ids: torch.Tensor,
    cache: Any,
    places: torch.Tensor,
) -> tuple[torch.Tensor, Any]:
    """What :meth:`TorchModel.cached_logits` gives at ``places`` among the new ids alone, without the others if it can.

    The logits are ``(rows, places, vocabulary)``.
    """
    own: Callable[..., tuple[torch.Tensor, Any]] | None = getattr(model, "cached_logits_at", None)
    if own is not None:
        return own(ids, attention_mask, position_ids, cache, places)
    logits, longer = model.cached_logits(ids, attention_mask, position_ids, cache)
    return logits[:, places], longer


def keeps_few(model: TorchModel) -> bool:
    """Whether the model can be asked for the logits of few positions, without making those of all others."""
    return bool(getattr(model, "keeps_few", False))


def tail_logits(model: TorchModel, ids: torch.Tensor, count: int) -> torch.Tensor:
    """Logits ``(rows, count, vocabulary)`` at the last ``count`` positions, without the others if the model can."""
    own: Callable[[torch.Tensor, int], torch.Tensor] | None = getattr(model, "tail_logits", None)
    return model.logits(ids)[:, -count:] if own is None else own(ids, count)


def last_logits(model: TorchModel, ids: torch.Tensor) -> torch.Tensor:
    """Logits ``(rows, vocabulary)`` at the last position, without those of all others if the model can do so."""
    return tail_logits(model, ids, 1)[:, -1]


@dataclass(frozen=True, slots=True)
class AdaptedWeight:
    """One weight that an adapter changes.

    ``scale`` is the factor that the change is multiplied with as the model runs, ``configured_scale`` what the
    adapter's configuration says (``lora_alpha / r``, or ``lora_alpha / sqrt(r)`` for rslora; None if it has no
    such factor). The rest are tensors of the weight's shape, made when asked for: ``change`` is Δ with the configured
    scale, ``effective`` the weight that the model runs with, adapter included, and ``original`` W₀, the weight that
    the adapter was trained over, if that is known.
    """

    name: str
    scale: float | None
    configured_scale: float | None
    change: Callable[[], torch.Tensor]
    effective: Callable[[], torch.Tensor]
    original: Callable[[], torch.Tensor] | None = None


@dataclass(frozen=True, slots=True)
class AdapterFacts:
    """What is known of an adapter's tensors: those that it changes, and names in its file that found no place.

    ``step`` is that of the checkpoint: at step 0 an adapter rightly changes nothing.
    """

    weights: tuple[AdaptedWeight, ...]
    unmatched: tuple[str, ...] = ()
    step: int | None = None


@dataclass(frozen=True, slots=True)
class WeightSet:
    """Weights that could be loaded in place of those that are: averaged ones in the same file, another base.

    ``words`` says which, ``place`` is the file and the key. ``read`` gives the tensors by their own names, or by
    ``#0``, ``#1``, … where only their order is known; it raises :class:`evalharness.errors.CheckpointError`.
    ``is_base``: it is a base for the adapter. ``is_added``: the tensors are added to some of the weights that are
    loaded. ``settings`` are the keys of a configuration that would name it.
    """

    words: str
    place: str
    read: Callable[[], Mapping[str, torch.Tensor]]
    is_base: bool = False
    is_added: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
