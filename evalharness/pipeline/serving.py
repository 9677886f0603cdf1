"""A server that writes the completions: what it can do, whether it runs these weights, and a checkpoint without any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from evalharness.errors import CheckpointError
from evalharness.runs.json_values import digest

if TYPE_CHECKING:
    from evalharness.models.endpoint import ServedModel
    from evalharness.models.protocols import Tokenizer, TorchModel
    from evalharness.models.torch import Checkpoint
    from evalharness.pipeline.target import Target
    from evalharness.progress import Watcher


OTHER_WEIGHTS = ": it runs other weights, or the same in a coarser number format"


def served_model(target: Target, tokenizer: Tokenizer | None, begin_ids: tuple[int, ...]) -> ServedModel:
    """The model of the server that the settings name, after a handshake."""
    from evalharness.models.endpoint import ServedModel, Server, shake_hands

    options = target.options
    if options.base_url is None:
        raise CheckpointError("--backend openai needs the address of a server: --base-url http://localhost:8000/v1")
    if options.replicas > 1:
        raise CheckpointError(
            f"--replicas {options.replicas}: a server writes the completions, and --concurrency says how many at a time"
        )
    server = Server(options.base_url)
    handshake = shake_hands(server, options.model, tokenizer, begin_ids)
    return ServedModel(server, handshake, options.concurrency)


def with_server(target: Target, checkpoint: Checkpoint, watcher: Watcher) -> ServedModel:
    """The server's model beside a checkpoint that is loaded here, compared with it."""
    watcher.stage("asking the server what it can do", 1)
    served = served_model(target, checkpoint.tokenizer, checkpoint.begin_token_ids)
    watcher.advance()
    for note in (*served.handshake.notes, _compared(served, checkpoint)):
        watcher.say(note)
    watcher.say("leaks, the adapter and the cache are looked for in the weights here: a server is another program")
    return served


def server_alone(target: Target, watcher: Watcher) -> tuple[ServedModel, Checkpoint]:
    """The server's model, and a checkpoint that is known by the server alone: nothing of it can be looked into."""
    from evalharness.models.torch import Checkpoint, tokenizer_alone
    from evalharness.records import CheckpointInfo

    options, manifest = target.options, target.manifest
    known, asked = None, None
    if options.tokenizer is not None:
        known, asked = tokenizer_alone(options.tokenizer, manifest, chat=options.chat, trust=options.trust)
    watcher.stage("asking the server what it can do", 1)
    served = served_model(target, known, () if asked is None else asked.special.begin)
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
            kind=f"served by {handshake.engine} at {served.server.base_url}",
            notes=notes,
        ),
        module=cast("Any", None),
        begin_token_ids=() if asked is None else asked.special.begin,
        end_token_ids=frozenset() if asked is None else asked.special.end,
        held_out_ids=(),
        prompt_template=manifest.model.prompt_template if asked is None else asked.template,
        context_length=handshake.context_length,
        device="server",
        dtype="a number format that it does not tell",
        other_way=None if asked is None else asked.other,
        data=manifest.data,
    )
    return served, checkpoint


def _compared(served: ServedModel, checkpoint: Checkpoint) -> str:
    """Whether the server runs the weights that are loaded here."""
    from evalharness.models.endpoint import agreement_with

    found = agreement_with(served, checkpoint.model, checkpoint.tokenizer, checkpoint.begin_token_ids)
    if found is None:
        return "not compared with the weights here: the server takes no ids or gives none back"
    if found.largest_nats is not None:
        shown = f"{found.tokens} tokens: the server's log-probabilities differ from those here by up to "
        return f"{shown}{found.largest_nats:.2g} nats" + ("" if found.is_close else OTHER_WEIGHTS)
    shown = f"{found.alike} of {found.tokens} tokens that the server wrote are those that the weights here would write"
    return shown + ("" if found.is_close else OTHER_WEIGHTS)


def _no_tokenizer() -> Any:
    from evalharness.diagnosis.data.no_tokenizer import NoTokenizer

    return NoTokenizer(0)
