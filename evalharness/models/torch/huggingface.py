"""Hugging Face folders and GGUF files by transformers, from this machine alone: configuration, weights, tokenizer."""

from __future__ import annotations

import contextlib
import functools
import inspect
import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import transformers
from torch import Tensor, nn
from transformers.utils import logging as transformers_logging

from evalharness.errors import CheckpointError, EvaluationError, UntrustedError
from evalharness.models.torch.attention_constants import is_attention_constant, may_be_attention_constant
from evalharness.models.torch.empty_tensors import not_gathered
from evalharness.models.torch.error_text import first_line, some
from evalharness.models.torch.gguf_file import check_gguf
from evalharness.models.torch.locate import main_file
from evalharness.models.torch.model import Forward, UncachedModel, is_out_of_memory, pick_logits, widened
from evalharness.models.torch.quantised_folder import Quantisation, quantisation_of_folder
from evalharness.models.torch.tokenizer_files import lacking_package, needs_package
from evalharness.models.torch.tokenizer_rules import with_rule_in_file
from evalharness.models.torch.tokenizers import KnownTokenizer, wrap
from evalharness.models.torch.weight_names import GGUF_SUFFIX
from evalharness.models.torch.weights import read_weights

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from evalharness.models.protocols import Capability

_GENERATION_CONFIG = "generation_config.json"


class CachedModel(UncachedModel):
    """A causal model of transformers. The cache is one of transformers; it grows in place and is handed back.

    ``supports_cache`` False keeps generation from it; a diagnosis may still ask what it computes.
    """

    capabilities: frozenset[Capability] = UncachedModel.capabilities | {"cache"}

    def __init__(
        self,
        module: nn.Module,
        *,
        forward: Forward,
        context_length: int | None,
        vocabulary_rows: int,
        supports_cache: bool = True,
    ) -> None:
        super().__init__(module, forward=forward, context_length=context_length, vocabulary_rows=vocabulary_rows)
        self.supports_cache = supports_cache

    def tail_logits(self, ids: Tensor, count: int) -> Tensor:
        """Logits ``(rows, count, vocabulary)`` at the last ``count`` positions: all others cost time and room.

        Raises as :meth:`logits`.
        """
        if self._forward is not call_without_cache or not self.keeps_few:
            return self.logits(ids)[:, -count:]
        return self._run(functools.partial(_call_for_tail, count=count), ids, count)

    def cached_logits(
        self, ids: Tensor, attention_mask: Tensor, position_ids: Tensor, cache: Any
    ) -> tuple[Tensor, Any]:
        """Return logits ``(rows, new, vocabulary)`` of the new ids and the longer cache (None at first).

        ``attention_mask`` is ``(rows, held + new)``, ``position_ids`` is ``(rows, new)``. Raises EvaluationError where
        the forward pass fails.
        """
        return self._with_cache(ids, attention_mask, position_ids, cache, {})

    def cached_logits_at(
        self, ids: Tensor, attention_mask: Tensor, position_ids: Tensor, cache: Any, places: Tensor
    ) -> tuple[Tensor, Any]:
        """The same at ``places`` among the new ids alone: ``(rows, places, vocabulary)``.

        All logits of a batch of prompts can be larger than the model, so a module that can is asked for no others.
        """
        if self.keeps_few:
            return self._with_cache(ids, attention_mask, position_ids, cache, {"logits_to_keep": places})
        logits, cache = self.cached_logits(ids, attention_mask, position_ids, cache)
        return logits[:, places], cache

    @property
    def keeps_few(self) -> bool:
        """Whether the module can be asked for the logits of few positions alone."""
        return "logits_to_keep" in inspect.signature(self.module.forward).parameters

    def _with_cache(
        self, ids: Tensor, attention_mask: Tensor, position_ids: Tensor, cache: Any, more: dict[str, Any]
    ) -> tuple[Tensor, Any]:
        with torch.no_grad():
            try:
                output = self.module(
                    input_ids=ids,
                    attention_mask=attention_mask,
                    position_ids=position_ids,
                    past_key_values=cache,
                    use_cache=True,
                    **more,
                )
            except Exception as error:
                shape = tuple(ids.shape)
                if is_out_of_memory(error):
                    raise EvaluationError(
                        f"out of memory on ids of shape {shape} with a cache: use a --batch-size below {len(ids)}"
                    ) from error
                raise EvaluationError(
                    f"the forward pass fails on ids of shape {shape} with a cache: {first_line(error)}"
                ) from error
        logits = pick_logits(output)
        if logits is None:
            raise EvaluationError(f"the forward pass with a cache returns no logits but a {type(output).__name__}")
        return widened(logits), output.past_key_values


def call_without_cache(module: nn.Module, ids: Tensor) -> Any:
    """Call a model of transformers on ids alone, all of it anew."""
    return module(input_ids=ids, use_cache=False)


def _call_for_tail(module: nn.Module, ids: Tensor, *, count: int) -> Any:
    return module(input_ids=ids, use_cache=False, logits_to_keep=count)


def load_model(path: Path, dtype: torch.dtype | None, *, trust: bool) -> tuple[nn.Module, Quantisation | None]:
    """Load a causal model from a folder or a GGUF file, and say how a folder's weights are quantised, if they are.

    ``dtype`` None is that of the files. Raises CheckpointError where it is not causal, broken, lacks a package, or its
    tensors don't match the class, and UntrustedError where it needs code of its own and ``trust`` is not set.
    """
    config = _read_config(path, trust)
    _check_causal(path, config)
    quantisation = None if path.suffix == GGUF_SUFFIX else quantisation_of_folder(path, config)
    told = "" if quantisation is None else f"its weights are quantised ({quantisation}); "
    folder, more = _as_transformers_names(path)
    with _quiet():
        try:
            module, info = transformers.AutoModelForCausalLM.from_pretrained(
                folder,
                config=config,
                dtype="auto" if dtype is None else dtype,
                local_files_only=True,
                trust_remote_code=trust,
                output_loading_info=True,
                # Reported below in one line; transformers' own error refers to a log.
                ignore_mismatched_sizes=True,
                **more,
                **_unpacked(path),
            )
        except Exception as error:
            raise CheckpointError(f"{path}: {told}can't be loaded: {first_line(error)}") from error
    _check_loaded(f"{path}: {told}", info, _unexpected(path, info["unexpected_keys"], trust))
    loaded: nn.Module = module
    return loaded, quantisation


def own_dtype(folder: Path) -> torch.dtype | None:
    """The dtype that a folder's configuration gives its weights, None where it gives none."""
    try:
        config, _ = transformers.PretrainedConfig.get_config_dict(folder, local_files_only=True)
    except OSError:
        return None
    named = str(config.get("dtype") or config.get("torch_dtype") or "")
    dtype = getattr(torch, named.removeprefix("torch."), None)
    return dtype if isinstance(dtype, torch.dtype) else None


def load_tokenizer(name: Path | str, *, trust: bool, local: bool) -> KnownTokenizer:
    """Load a tokenizer from a folder or a GGUF file, or by its hub name (from the hub where ``local`` is not set)."""
    folder, more = _as_transformers_names(name)
    with _quiet():
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(
                folder, local_files_only=local, trust_remote_code=trust, **more
            )
        except Exception as error:
            if "trust_remote_code" in str(error):
                raise UntrustedError(f"{name}: its tokenizer is code of its own") from error
            lacking = lacking_package(Path(name))
            if lacking is not None:
                raise CheckpointError(needs_package(name, lacking)) from error
            raise CheckpointError(f"{name}: its tokenizer can't be loaded: {first_line(error)}") from error
    return with_rule_in_file(wrap(tokenizer, str(name)), Path(folder))


def _unpacked(path: Path) -> dict[str, Any]:
    """The argument that unpacks the weights of a GGUF file; before transformers had it, it always did."""
    is_packed = path.suffix == GGUF_SUFFIX and hasattr(transformers, "GgufConfig")
    return {"quantization_config": transformers.GgufConfig(dequantize=True)} if is_packed else {}


def _as_transformers_names(path: Path | str) -> tuple[str, dict[str, str]]:
    """A folder or a name as it is, and of a GGUF file its folder with an argument that names it."""
    if isinstance(path, Path) and path.suffix == GGUF_SUFFIX:
        check_gguf(path)
        return str(path.parent), {"gguf_file": path.name}
    return str(path), {}


def end_ids_of(module: nn.Module) -> frozenset[int]:
    """Return the end ids that a model's generation configuration and configuration name."""
    ids: set[int] = set()
    for owner in (getattr(module, "generation_config", None), getattr(module, "config", None)):
        value = getattr(owner, "eos_token_id", None)
        values = value if isinstance(value, (list, tuple)) else [value]
        ids |= {int(item) for item in values if isinstance(item, int)}
    return frozenset(ids)


def supports_cache(module: nn.Module) -> tuple[bool, str]:
    """Whether a cache gives what the full forward gives, tried on six ids in two parts; and the reason where not."""
    accepted = set(inspect.signature(module.forward).parameters)
    lacking = {"past_key_values", "position_ids", "attention_mask"} - accepted
    if lacking:
        return False, f"its forward takes no {', '.join(sorted(lacking))}"
    model = CachedModel(module, forward=call_without_cache, context_length=None, vocabulary_rows=0)
    ids = torch.tensor([[1, 0, 1, 1, 0, 0]], device=model.device)
    mask, positions = torch.ones_like(ids), torch.arange(6, device=model.device)[None]
    try:
        whole = model.logits(ids)
        first, cache = model.cached_logits(ids[:, :4], mask[:, :4], positions[:, :4], None)
        second, cache = model.cached_logits(ids[:, 4:], mask, positions[:, 4:], cache)
    except EvaluationError as error:
        return False, str(error)
    if cache is None:
        return False, "its forward returns no cache"
    parts = torch.cat([first, second], dim=1)
    # Half precision rounds the two ways differently; a cache that is wrong is wrong by far more.
    half = next(module.parameters()).dtype in {torch.float16, torch.bfloat16}
    allowed = (0.05 if half else 1e-3) * (1.0 + float(whole.abs().max()))
    difference = float((whole - parts).abs().max())
    return difference <= allowed, f"its logits with a cache differ by {difference:.3g} from those without"


def configuration_files(folder: Path) -> list[Path]:
    """Return the files beside the weights that change what the model does."""
    return [folder / name for name in ("config.json", _GENERATION_CONFIG) if (folder / name).is_file()]


def _read_config(path: Path, trust: bool) -> Any:
    folder, more = _as_transformers_names(path)
    try:
        with _quiet():
            return transformers.AutoConfig.from_pretrained(
                folder, local_files_only=True, trust_remote_code=trust, **more
            )
    except Exception as error:
        if "trust_remote_code" in str(error):
            raise UntrustedError(f"{path}: its config.json names code of its own (auto_map)") from error
        read = "its metadata" if more else "its config.json"
        raise CheckpointError(f"{path}: {read} can't be used: {first_line(error)}") from error


def _check_causal(folder: Path, config: Any) -> None:
    if getattr(config, "is_encoder_decoder", False):
        raise CheckpointError(f"{folder}: {config.model_type} is an encoder-decoder, expected a causal language model")
    architectures = list(getattr(config, "architectures", None) or [])
    if architectures and all("ForMaskedLM" in name for name in architectures):
        raise CheckpointError(f"{folder}: {architectures[0]} is a masked language model, expected a causal one")
    known = type(config) in transformers.MODEL_FOR_CAUSAL_LM_MAPPING
    if not known and "AutoModelForCausalLM" not in (getattr(config, "auto_map", None) or {}):
        raise CheckpointError(f"{folder}: transformers has no causal language model of type {config.model_type!r}")


def _unexpected(path: Path, names: Iterable[str], trust: bool) -> list[str]:
    """The names that the model lacks, without the constants that older versions saved and newer ones compute."""
    names = sorted(names)
    if path.suffix == GGUF_SUFFIX or not any(map(may_be_attention_constant, names)):
        return names
    state = read_weights(main_file(path), trust=trust).state
    constants = [name for name, tensor in state.items() if is_attention_constant(name, tensor)]
    return [name for name in names if not any(_is_same_name(name, constant) for constant in constants)]


def _is_same_name(name: str, in_file: str) -> bool:
    """Whether a name is that of the file, but for the prefix of a model without its head."""
    return name == in_file or name.endswith(f".{in_file}") or in_file.endswith(f".{name}")


def _check_loaded(told: str, info: Any, unexpected: Sequence[str]) -> None:
    """Transformers only warns of what doesn't match and fills it with random numbers."""
    empty = sorted(name for name, in_file, in_model in info["mismatched_keys"] if 0 in in_file and 0 not in in_model)
    if empty:
        raise CheckpointError(f"{told}{not_gathered(empty)}")
    missing = sorted(info["missing_keys"])
    mismatched = [
        f"{name} is {tuple(in_file)} in the files, {tuple(in_model)} in the model"
        for name, in_file, in_model in sorted(info["mismatched_keys"])
    ]
    faults = []
    if missing:
        faults.append(f"the model has names that the files lack: {some(missing)}")
    if unexpected:
        faults.append(f"the files have names that the model lacks: {some(unexpected)}")
    if mismatched:
        faults.append(f"shapes don't match: {some(mismatched)}")
    if faults:
        raise CheckpointError(f"{told}{'; '.join(faults)}")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars and no lines of transformers: what matters in them is raised as an error here."""
    verbosity = transformers_logging.get_verbosity()
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        # Some of its bars can't be switched off.
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            # Loading is all that happens in here: what transformers deprecates is between it and its own files.
            warnings.simplefilter("ignore")
            yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()
