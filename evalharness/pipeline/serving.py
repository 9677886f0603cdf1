"""Another engine that writes the completions: what it can do, whether it runs these weights, and a model without any.

A server, or vLLM in this process: both are asked in the same way.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from evalharness.errors import CheckpointError
from evalharness.runs.json_values import digest

if TYPE_CHECKING:
    from evalharness.models.endpoint import Engine, ServedModel
    from evalharness.models.protocols import Tokenizer, TorchModel
    from evalharness.models.torch import Checkpoint
    from evalharness.pipeline.target import Target
    from evalharness.progress import Watcher
    from evalharness.settings.score import ScoreOptions


OTHER_WEIGHTS = ": it runs other weights, or the same in a coarser number format"
NAMED = {"openai": "the server", "vllm": "vLLM"}


def check_engine(target: Target) -> None:
    """Find what is wrong with the engine that the settings name, before anything that takes long.

    Raises CheckpointError or EvaluationError, in one line: a server that does not answer or lacks the model, a key that
    it refuses, vLLM that is not installed or can't run such weights.
    """
    options = target.options
    if options.replicas > 1:
        spread = {"openai": "--concurrency says how many at a time", "vllm": "--vllm-options spreads it over GPUs"}
        raise CheckpointError(
            f"--replicas {options.replicas}: {NAMED[options.backend]} writes the completions, and "
            f"{spread[options.backend]}"
        )
    if options.backend == "vllm":
        from evalharness.models.endpoint.vllm_engine import library

        _folder_for_vllm(target)
        library()
    else:
        from evalharness.models.endpoint import model_named

        model_named(_server(options), options.model)


def served_model(target: Target, tokenizer: Tokenizer | None, begin_ids: tuple[int, ...], dtype: str) -> ServedModel:
    """The model of the engine that the settings name, after a handshake. ``dtype`` is vLLM's to use."""
    from evalharness.models.endpoint import ServedModel, shake_hands

    options = target.options
    if options.backend == "vllm":
        engine, model = _vllm(target, dtype), None
    else:
        engine, model = _server(options), options.model
    return ServedModel(engine, shake_hands(engine, model, tokenizer, begin_ids), options.concurrency)


def _server(options: ScoreOptions) -> Engine:
    from evalharness.models.endpoint import Server

    if options.base_url is None:
        raise CheckpointError("--backend openai needs the address of a server: --base-url http://localhost:8000/v1")
    return Server(options.base_url)


def _vllm(target: Target, dtype: str) -> Engine:
    from evalharness.models.endpoint import open_engine
    from evalharness.models.torch.fingerprint import digests_of_files

    options, folder = target.options, _folder_for_vllm(target)
    is_known = folder == target.located.path and not target.is_server_alone
    fingerprint = None if is_known else digest(digests_of_files(filter(Path.is_file, folder.iterdir())))
    return open_engine(folder, fingerprint, options.vllm_options, dtype=dtype, trust=options.trust)


def _folder_for_vllm(target: Target) -> Path:
    """The folder that ``--model`` names, else the checkpoint's own."""
    from evalharness.models.torch import locate

    options, located = target.options, target.located
    if options.model is not None and not target.is_server_alone:
        located = locate(Path(options.model), target.manifest, revision=options.revision)
    if located.kind != "huggingface":
        raise CheckpointError(
            f"--backend vllm runs Hugging Face folders, and {located.path} is none ({located.kind}): name the same "
            "weights as one, an adapter merged into its base, by --model FOLDER"
        )
    return located.path


def with_server(target: Target, checkpoint: Checkpoint, watcher: Watcher) -> ServedModel:
    """The engine's model beside a checkpoint that is loaded here, compared with it."""
    watcher.stage(_asking(target.options), 1)
    served = served_model(target, checkpoint.tokenizer, checkpoint.begin_token_ids, checkpoint.dtype)
    watcher.advance()
    name = NAMED[target.options.backend]
    for note in (*served.handshake.notes, _compared(served, checkpoint, name)):
        watcher.say(note)
    watcher.say(f"leaks, the adapter and the cache are looked for in the weights here: {name} is another program")
    return served


def _asking(options: ScoreOptions) -> str:
    return {"openai": "asking the server what it can do", "vllm": "starting vLLM"}[options.backend]


def server_alone(target: Target, watcher: Watcher) -> tuple[ServedModel, Checkpoint]:
    """The engine's model, and a checkpoint that is known by the engine alone: nothing of it can be looked into."""
    from evalharness.models.torch import Checkpoint, tokenizer_alone
    from evalharness.records import CheckpointInfo

    options, manifest = target.options, target.manifest
    known, asked = None, None
    own = target.located.path if options.backend == "vllm" else None
    if (tokenizer := options.tokenizer or own) is not None:
        known, asked = tokenizer_alone(tokenizer, manifest, chat=options.chat, trust=options.trust)
    watcher.stage(_asking(options), 1)
    served = served_model(target, known, () if asked is None else asked.special.begin, options.dtype)
    watcher.advance()
    handshake = served.handshake
    notes = (*handshake.notes, *(() if asked is None else (*asked.special.notes, *asked.notes)))
    for note in notes:
        watcher.say(note)
    checkpoint = Checkpoint(
        model=cast("TorchModel", served),  # whoever wants more than it has looks at its capabilities first
        tokenizer=known or _no_tokenizer(),
        info=CheckpointInfo(
            path=handshake.model,
            fingerprint=digest([served.identity, "" if known is None else known.digest()]),
            step=None,
            parameters=handshake.parameters,
            kind=_kind(served, options),
            notes=notes,
        ),
        module=cast("Any", None),
        begin_token_ids=() if asked is None else asked.special.begin,
        end_token_ids=frozenset() if asked is None else asked.special.end,
        held_out_ids=(),
        prompt_template=manifest.model.prompt_template if asked is None else asked.template,
        context_length=handshake.context_length,
        device="server" if options.backend == "openai" else "vLLM",
        dtype=handshake.dtype or "a number format that it does not tell",
        other_way=None if asked is None else asked.other,
        data=manifest.data,
    )
    return served, checkpoint


def _kind(served: ServedModel, options: ScoreOptions) -> str:
    engine = served.handshake.engine
    if options.backend == "vllm":
        return f"run by {engine} in this process"
    return f"served by {engine} at {served.server.address}"


def _compared(served: ServedModel, checkpoint: Checkpoint, name: str) -> str:
    """Whether the engine runs the weights that are loaded here."""
    from evalharness.models.endpoint import agreement_with

    found = agreement_with(served, checkpoint.model, checkpoint.tokenizer, checkpoint.begin_token_ids)
    if found is None:
        return f"not compared with the weights here: {name} takes no ids or gives none back"
    if found.largest_nats is not None:
        shown = f"{found.tokens} tokens: log-probabilities of {name} differ from those here by up to "
        return f"{shown}{found.largest_nats:.2g} nats" + ("" if found.is_close else OTHER_WEIGHTS)
    shown = f"{found.alike} of {found.tokens} tokens that {name} wrote are those that the weights here would write"
    return shown + ("" if found.is_close else OTHER_WEIGHTS)


def _no_tokenizer() -> Any:
    from evalharness.diagnosis.data.no_tokenizer import NoTokenizer

    return NoTokenizer(0)
