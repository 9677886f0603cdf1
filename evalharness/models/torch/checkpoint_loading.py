"""All stages of loading in their order: find, read, build, fit, adapt, name the tokens, take the fingerprint."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from evalharness.errors import CheckpointError, UntrustedError
from evalharness.models.torch.base_models import Base, find_base, load_gguf, load_huggingface, load_plain
from evalharness.models.torch.chat import Asking, Chat, asking
from evalharness.models.torch.context_length import find_context
from evalharness.models.torch.factory import UserCode, UserObject, read_config
from evalharness.models.torch.fingerprint import digest_of, digests_of_files, source_files
from evalharness.models.torch.locate import Located, locate
from evalharness.models.torch.model import Forward, Shape, UncachedModel, call_module, way_to_call
from evalharness.models.torch.other_weights import other_weights
from evalharness.models.torch.own_generate import own_generate
from evalharness.models.torch.placement import OWN, dtype_name, parse_device, parse_dtype, place
from evalharness.models.torch.sidecars import loss_in_name
from evalharness.models.torch.tokenizer_lookup import find_special_tokens, find_tokenizer
from evalharness.models.torch.tokenizer_rules import rule_notes
from evalharness.models.torch.without_manifest import completed
from evalharness.records import CheckpointInfo
from evalharness.settings.manifest import code_specs, notes_on_code

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evalharness.models.protocols import AdapterFacts, Tokenizer, TorchModel, WeightSet
    from evalharness.models.torch.placement import NumberFormat
    from evalharness.models.torch.tokenizers import KnownTokenizer
    from evalharness.progress import Watcher
    from evalharness.settings.manifest import DataSettings, Manifest


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model that is ready to run, and what is known of it.

    ``begin_token_ids`` go before every prompt. ``held_out_ids`` are rows of the vocabulary without a token: they get no
    probability. ``prompt_template`` contains ``{prompt}``, to be replaced as text. ``other_way`` is how prompts could
    be asked as well: plainly if they are asked in the tokenizer's chat template, or in it; None where there was no
    choice. ``logged_val_loss`` is in nats, of the checkpoint itself or of a file beside it. ``without_adapter`` is the
    same model with its adapter switched off, and ``adapter`` what is known of that; None where the checkpoint is no
    adapter. ``other_weights`` are others that lie in the same file or beside it. ``own_generate`` is the user's own
    function that writes: ids of a prompt and a number of new tokens in, new ids out; None where none is named.
    ``files`` are all that it was made of: weights, configurations, code, tokenizer. ``data`` are the manifest's, or
    what a known project's files say.
    """

    model: TorchModel
    tokenizer: Tokenizer
    info: CheckpointInfo
    module: nn.Module
    begin_token_ids: tuple[int, ...]
    end_token_ids: frozenset[int]
    held_out_ids: tuple[int, ...]
    prompt_template: str
    context_length: int | None
    device: str
    dtype: str
    logged_val_loss: float | None = None
    without_adapter: TorchModel | None = None
    adapter: AdapterFacts | None = None
    own_generate: Callable[[Sequence[int], int], tuple[int, ...]] | None = None
    other_weights: tuple[WeightSet, ...] = ()
    files: tuple[Path, ...] = ()
    data: DataSettings | None = None
    other_way: Asking | None = None

    def asked_the_other_way(self) -> Checkpoint | None:
        """The same checkpoint, whose prompts are asked in the way that was not chosen; None without one."""
        other = self.other_way
        if other is None:
            return None
        return replace(
            self,
            prompt_template=other.template,
            begin_token_ids=other.special.begin,
            end_token_ids=other.special.end,
            other_way=None,
        )

    @property
    def token_mask(self) -> Tensor:
        """True for each row of the vocabulary that has a token: ``(vocabulary,)``, bool, on the model's device."""
        mask = torch.ones(self.model.vocabulary_rows, dtype=torch.bool)
        mask[list(self.held_out_ids)] = False
        return mask.to(self.model.device)


def load_checkpoint(
    path: Path | str,
    manifest: Manifest,
    *,
    step: int | None = None,
    located: Located | None = None,
    device: str = "cpu",
    dtype: str = "auto",
    trust: bool = False,
    chat: Chat = "auto",
    working_folder: Path | None = None,
    revision: str | None = None,
    watcher: Watcher | None = None,
) -> Checkpoint:
    """Make a model of a path: a weight or GGUF file, an adapter, a Hugging Face folder, or a folder of a series.

    The name of a model of the hub is downloaded, at ``revision``; ``watcher`` sees that, and the base of an adapter.
    Of a series the best is taken, or the last where none is marked, or ``step``. ``trust`` allows weight files, Hugging
    Face folders and manifests outside ``working_folder`` (the current one) to run code. ``located`` is what
    :func:`locate` found of the path and the step, if that is known already. ``chat`` says whether the prompts are put
    into the tokenizer's chat template: ``auto`` does so for a model that was tuned on it.

    Raises CheckpointError or ManifestError, one line, where anything is missing or does not fit, and UntrustedError
    where something would run code that nobody asked for.
    """
    target = parse_device(device)
    numbers = parse_dtype(dtype, target)
    located = located or locate(path, manifest, step, revision=revision, watcher=watcher)
    check_trusted(manifest, working_folder or Path.cwd(), trust)
    done = completed(manifest, located, working_folder or Path.cwd(), trust=trust)
    manifest, completion = done.manifest, done.notes
    code = UserCode(manifest.folder)
    base = _load_base(located, manifest, code, numbers, working_folder or Path.cwd(), trust=trust, watcher=watcher)
    base, own_step, notes, adapter_config = _adapt(located, base, trust)
    merged, merged_files = _merged(located, base, own_step, manifest, code, working_folder or Path.cwd(), trust=trust)
    place(base.module, target, numbers.dtype if base.is_plain else None)

    forward, forward_object = forward_of(manifest, code, call_module if base.is_plain else base.forward)
    with code.running(), code.explained(f"{located.path.name}: forward on ids (2, 3)"):
        forward, shape, call_note = way_to_call(
            base.module, forward, located.path.name, has_forward_key=forward_object is not None
        )
    if base.is_plain:
        forward = code.guarded(forward)
    places = [*_tokenizer_places(located, manifest), *base.folders]
    tokenizer, tokenizer_object = find_tokenizer(manifest, code, places, trust=trust)
    _check_vocabulary(located.path.name, shape, tokenizer)
    special = find_special_tokens(manifest, tokenizer, base.end_ids)
    asked = asking(manifest.model.prompt_template, tokenizer, special, chat)
    special = asked.special

    settings = manifest.model
    context = find_context(
        base.module, forward, shape, manifest=settings.context_length, args=settings.args if base.is_plain else {}
    )
    model, model_note = _model(base, forward, context.length, shape.vocabulary_rows)
    without_adapter, adapter = _adapter(model, adapter_config, own_step)
    write, write_object = _own_generate(manifest, code, base.module)
    objects = (base.factory, forward_object, tokenizer_object, write_object)
    seeds = [item.file for item in objects if item is not None]
    sources = source_files(base.module, seeds, code.roots)
    info = CheckpointInfo(
        path=str(path),
        fingerprint=_fingerprint(manifest, base, tokenizer, asked, sources=sources, model=model),
        step=own_step,
        parameters=sum(parameter.numel() for parameter in base.module.parameters()),
        kind=base.kind,
        commit=None if located.hub is None else located.hub.commit,
        quantisation=base.quantisation,
        notes=(
            *(completion or notes_on_code(manifest)),
            *located.notes,
            *base.notes,
            *notes,
            *call_note,
            *special.notes,
            *rule_notes(tokenizer),
            *asked.notes,
            *context.notes,
            *model_note,
        ),
    )
    losses = (located.logged_val_loss, base.logged_val_loss, loss_in_name(located.path.name))
    return Checkpoint(
        model=model,
        tokenizer=tokenizer,
        info=info,
        module=base.module,
        begin_token_ids=special.begin,
        end_token_ids=special.end,
        held_out_ids=_held_out(shape, tokenizer),
        prompt_template=asked.template,
        context_length=context.length,
        device=str(target),
        dtype=_dtype_of(base.module),
        logged_val_loss=next((loss for loss in losses if loss is not None), None),
        without_adapter=without_adapter,
        adapter=adapter or merged,
        data=manifest.data,
        other_way=asked.other,
        own_generate=write,
        other_weights=other_weights(located, manifest, base.files, trust=trust),
        files=_files(manifest, located, (*base.files, *merged_files), sources, places),
    )


def _files(
    manifest: Manifest, located: Located, weights: tuple[Path, ...], sources: list[Path], places: list[Path]
) -> tuple[Path, ...]:
    """Everything that was read, or would have been had it been there under its usual name."""
    settings = manifest.model
    named = [path for path in (manifest.path, settings.config) if path is not None]
    if settings.tokenizer is not None:
        places = [manifest.folder / settings.tokenizer]
    own = [located.path] if located.path.is_file() else list(located.path.iterdir())
    beside = [file for place in places for file in (place.glob("*token*") if place.is_dir() else [place])]
    every = (*named, *weights, *sources, *own, *beside)
    return tuple(sorted({file.resolve() for file in every if file.is_file()}))


def _load_base(
    located: Located,
    manifest: Manifest,
    code: UserCode,
    numbers: NumberFormat,
    working_folder: Path,
    *,
    trust: bool,
    watcher: Watcher | None,
) -> Base:
    if located.kind == "weights":
        return load_plain(located.path, manifest, code, numbers, trust=trust)
    if located.kind == "huggingface":
        return load_huggingface(located.path, numbers, trust=trust)
    if located.kind == "gguf":
        return load_gguf(located.path, numbers.dtype)
    return find_base(located.path, manifest, code, numbers, working_folder, trust=trust, watcher=watcher)


def _adapt(located: Located, base: Base, trust: bool) -> tuple[Base, int | None, tuple[str, ...], Any]:
    """Put the adapter in, where there is one; what the base's file says of its step does not hold for an adapter.

    The last value is the adapter's configuration.
    """
    if located.kind != "adapter":
        return base, base.step if located.step is None else located.step, (), None
    from evalharness.models.torch import adapters  # noqa: PLC0415 - peft takes seconds to import

    adapter = adapters.read_adapter(located.path, trust=trust)
    with torch.no_grad():
        notes = adapters.apply_adapter(base.module, adapter, located.step)
    return base.with_adapter(adapter.config_file, adapter.weights_file), located.step, notes, adapter.config


def _adapter(model: TorchModel, config: Any, step: int | None) -> tuple[TorchModel | None, AdapterFacts | None]:
    """The model with its adapter switched off, and what is known of the adapter; nothing where there is none."""
    if config is None:
        return None, None
    from evalharness.models.torch import adapted  # noqa: PLC0415 - peft takes seconds to import

    return adapted.without_adapter(model), adapted.adapter_facts(model.module, config, step=step)


def _merged(
    located: Located,
    base: Base,
    step: int | None,
    manifest: Manifest,
    code: UserCode,
    working_folder: Path,
    *,
    trust: bool,
) -> tuple[AdapterFacts | None, tuple[Path, ...]]:
    """What is known of the adapter that the manifest says is merged into the weights, and the files that tell it.

    Both models are in memory until it has been asked how often the adapter is in the one.
    """
    folder = manifest.model.merged_adapter
    if folder is None or located.kind == "adapter":
        return None, ()
    from evalharness.models.torch import adapted, adapters  # noqa: PLC0415 - peft takes seconds to import

    adapter = adapters.read_adapter(folder, trust=trust)
    before = find_base(folder, manifest, code, OWN, working_folder, trust=trust)
    facts = adapted.merged_facts(
        base.module.state_dict(), before.module.state_dict(), adapter.state, adapter.config, step=step
    )
    return facts, (adapter.config_file, adapter.weights_file, *before.files)


def check_trusted(manifest: Manifest, working_folder: Path, trust: bool) -> None:
    """Raise UntrustedError where a manifest from outside the working folder would run code and nobody said so."""
    specs = code_specs(manifest)
    inside = manifest.folder.resolve().is_relative_to(working_folder.resolve())
    if specs and not inside and not trust:
        raise UntrustedError(
            f"{manifest.path}: runs {', '.join(specs)} and lies outside the working folder {working_folder}"
        )


def forward_of(manifest: Manifest, code: UserCode, otherwise: Forward) -> tuple[Forward, UserObject | None]:
    """How the model is called on ids: as the manifest says, or ``otherwise``; CheckpointError for no function."""
    spec = manifest.model.forward
    if spec is None:
        return otherwise, None
    user_object = code.load(spec, "forward")
    if not callable(user_object.value):
        raise CheckpointError(f"forward = {spec!r}: is a {type(user_object.value).__name__}, expected a function")
    return user_object.value, user_object


def _own_generate(
    manifest: Manifest, code: UserCode, module: nn.Module
) -> tuple[Callable[[Sequence[int], int], tuple[int, ...]] | None, UserObject | None]:
    """The user's own function that writes, if the manifest names one, and what it is of the user's code."""
    spec = manifest.model.generate
    return (None, None) if spec is None else own_generate(spec, code, module)


def _tokenizer_places(located: Located, manifest: Manifest) -> list[Path]:
    """The checkpoint's own folder and those above it, up to the manifest's; first a GGUF file, which has its own."""
    if located.kind == "gguf":
        return [located.path]
    start = located.path if located.path.is_dir() else located.path.parent
    start = start.resolve()
    places = [start]
    if manifest.path is not None and start.is_relative_to(manifest.folder.resolve()):
        steps_up = len(start.relative_to(manifest.folder.resolve()).parts)
        return [*places, *start.parents[:steps_up]]
    # Without a manifest above it, a series shares what lies beside its steps.
    return [*places, start.parent, manifest.folder]


def _check_vocabulary(name: str, shape: Shape, tokenizer: KnownTokenizer) -> None:
    count = tokenizer.vocab_size
    if shape.embedding_rows is not None and count > shape.embedding_rows:
        raise CheckpointError(
            f"{name}: the embedding has {shape.embedding_rows} rows, but the tokenizer has {count} tokens"
        )
    if count > shape.vocabulary_rows:
        raise CheckpointError(
            f"{name}: the output has {shape.vocabulary_rows} rows, but the tokenizer has {count} tokens"
        )


def _held_out(shape: Shape, tokenizer: KnownTokenizer) -> tuple[int, ...]:
    return tuple(row for row in range(shape.vocabulary_rows) if row not in tokenizer.token_ids)


def _model(
    base: Base, forward: Forward, context_length: int | None, rows: int
) -> tuple[UncachedModel, tuple[str, ...]]:
    if base.is_plain or forward is not base.forward:
        return UncachedModel(base.module, forward=forward, context_length=context_length, vocabulary_rows=rows), ()
    from evalharness.models.torch import huggingface  # noqa: PLC0415 - imported by now, and only for such models

    cached, reason = huggingface.supports_cache(base.module)
    model = huggingface.CachedModel(
        base.module, forward=forward, context_length=context_length, vocabulary_rows=rows, supports_cache=cached
    )
    return model, () if cached else (f"runs without a cache: {reason}",)


def _fingerprint(
    manifest: Manifest,
    base: Base,
    tokenizer: KnownTokenizer,
    asked: Asking,
    *,
    sources: list[Path],
    model: UncachedModel,
) -> str:
    settings = manifest.model
    return digest_of(
        {
            "kind": base.kind,
            "weights": digests_of_files(base.files),
            "tensors": None,  # stood for weights without files; kept so that earlier fingerprints hold
            "sources": digests_of_files(sources),
            "factory": settings.factory,
            "forward": settings.forward,
            "args": settings.args,
            "config": None if settings.config is None else read_config(settings.config),
            "tokenizer": tokenizer.digest(),
            "begin": asked.special.begin,
            "end": sorted(asked.special.end),
            "prompt_template": asked.template,
            "attention": settings.attention,
            "context_length": model.context_length,
            "dtype": _dtype_of(base.module),
            "device": model.device.type,
            **({} if settings.state_dict is None else {"state_dict": settings.state_dict}),
        }
    )


def _dtype_of(module: nn.Module) -> str:
    floating = (tensor.dtype for tensor in module.parameters() if tensor.is_floating_point())
    return dtype_name(next(floating, torch.float32))
