"""Why the loss and the behaviour disagree: the subject of the diagnosis, put together from what the stages know."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

from evalharness.errors import EvalHarnessError, EvaluationError
from evalharness.extensions import extensions
from evalharness.pipeline.attention import probe_attention
from evalharness.pipeline.completing import complete
from evalharness.pipeline.estimating import say_diagnosing
from evalharness.pipeline.fitting_time import fit_into_time
from evalharness.pipeline.learning_rates import learning_rates
from evalharness.records import Incomplete, LossPoint, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evalharness.diagnosis import Diagnosis, Measured, Observed, Probe
    from evalharness.generation import Settings
    from evalharness.models.protocols import TorchModel
    from evalharness.pipeline.work import Behaviour, Group, Work
    from evalharness.progress import Watcher
    from evalharness.records import Completion
    from evalharness.runs.folder import RunFolder


NEW_TOKENS = 64
BATCH = 32
PASSES_OF_A_PIECE = 50
MOST_PASSES = 400
LIBRARY_KINDS = ("huggingface", "adapter", "gguf")
"""Kinds of checkpoints that transformers and PEFT build, unless the manifest names a factory."""
FEW, FEW_OF_LARGE = 20, 10
"""Problems of each set whose greedy completions a diagnosis alone looks at; fewer of a large model, which is slow."""
LARGE = 64_000_000
"""Parameters from which on a model is large."""


def what_it_writes(work: Work, folder: RunFolder) -> tuple[Settings, dict[Group, tuple[Completion, ...]]]:
    """How the model is run, and greedy completions of some problems of each set; none where it can't write."""
    from evalharness.generation import Settings

    try:
        settings = probe_attention(work)
        fit_into_time(work, settings)
        return settings, _few_completions(work, folder, settings)
    except EvaluationError as error:
        work.incomplete.append(Incomplete("generation", None, f"nothing could be generated: {error}"))
        return Settings(NEW_TOKENS), {}


def _few_completions(work: Work, folder: RunFolder, settings: Settings) -> dict[Group, tuple[Completion, ...]]:
    from evalharness.diagnosis import evenly

    count = FEW if (work.checkpoint.info.parameters or 0) <= LARGE else FEW_OF_LARGE
    few = [dataclasses.replace(s, problems=evenly(s.problems, count)) for s in work.sets]
    return complete(dataclasses.replace(work, sets=few), folder, settings)


def measured_of(work: Work, settings: Settings, behaviour: Behaviour) -> Measured:
    """Everything that is known of the checkpoint, as the probes take it; what was said of its attention among it."""
    from evalharness.diagnosis import Declared, Measured, PromptWay, Subject

    other = work.checkpoint.other_way
    checkpoint, declared = work.checkpoint, work.manifest.loss
    subject = Subject(
        model=checkpoint.model,
        tokenizer=checkpoint.tokenizer,
        begin_ids=checkpoint.begin_token_ids,
        end_ids=checkpoint.end_token_ids,
        held_out_ids=checkpoint.held_out_ids,
        prompt_template=checkpoint.prompt_template,
        train=work.train,
        validation=work.validation,
        problems=tuple(work.problems.values()),
        log=tuple(work.log),
        later=work.later,
        logged=logged_point(work),
        declared=Declared(declared.label_smoothing, declared.count_prompt, declared.count_padding),
        without_adapter=checkpoint.without_adapter,
        base=_first_step(work),
        observed=_observed(work, behaviour),
        verdict=behaviour.judgement.verdict,
        adapter=checkpoint.adapter,
        other_weights=checkpoint.other_weights,
        generate=_greedy(work, settings) if "module" in checkpoint.model.capabilities else None,
        own_generate=checkpoint.own_generate,
        seed=work.options.seed,
        other_way=None if other is None else PromptWay(other.template, other.special.begin, other.special.end),
        formats=behaviour.formats,
        learning_rates=learning_rates(work.target.located.path),
        built_by_library=work.manifest.model.factory is None and work.target.located.kind in LIBRARY_KINDS,
    )
    known = () if work.leak is None else (work.leak,)
    return Measured(subject, known, work.watcher.say, work.shared.whole_texts, work.limit)


def behaviour_known(work: Work, measured: Measured, behaviour: Behaviour) -> None:
    """Add to what is measured what the checkpoint wrote: losses measured before stay."""
    measured.subject = dataclasses.replace(
        measured.subject,
        problems=tuple(work.problems.values()),
        observed=_observed(work, behaviour),
        verdict=behaviour.judgement.verdict,
        formats=behaviour.formats,
    )


def diagnose_subject(work: Work, measured: Measured) -> Diagnosis:
    """Ask every probe of a checkpoint, except those whose outcomes are known already."""
    from evalharness.diagnosis import examine
    from evalharness.diagnosis.catalogue import catalogue

    probes = catalogue()
    for fault in extensions("probes").faults:
        work.watcher.say(fault)
    say_diagnosing(work)
    work.watcher.stage("diagnosing", sum(map(_pieces, probes)))
    diagnosis = examine(
        measured,
        probes,
        every=work.options.all_probes,
        progress=lambda probe: _advance(work.watcher, _pieces(probe)),
    )
    fewest = getattr(measured.subject.model, "fewest_rows", None)
    if fewest is not None:
        work.watcher.say(f"memory ran out: forward passes were run in halves, down to {fewest} rows at a time")
    work.incomplete += diagnosis.incomplete
    return diagnosis


def _pieces(probe: Probe) -> int:
    """How much of the work a probe is, for the estimate of what is left; of the dearest most is seldom needed."""
    return 1 + min(probe.forward_passes, MOST_PASSES) // PASSES_OF_A_PIECE


def _advance(watcher: Watcher, pieces: int) -> None:
    for _ in range(pieces):
        watcher.advance()


def logged_point(work: Work) -> LossPoint | None:
    """The validation loss that was logged for this step: in the log, else in the checkpoint's own record."""
    from evalharness.training_log import logged_validation

    step, logged = work.checkpoint.info.step, work.checkpoint.logged_val_loss
    point = logged_validation(work.log, step)
    if point is not None and step is not None and point.step != step:
        work.watcher.say(f"the log counts its steps from 0: its step {point.step:,} is the checkpoint's {step:,}")
    logged = _recorded_in_bits(work) if logged is None and point is None else logged
    if point is not None or logged is None:
        return point
    return LossPoint(step or 0, "validation", logged, "the checkpoint's own record")


def _recorded_in_bits(work: Work) -> float | None:
    """The loss in bits per byte that lies beside the weights, in nats by the bytes of a token; None without either."""
    from evalharness.models.torch.sidecars import Sidecars
    from evalharness.pipeline.loading import bytes_of_a_token

    per_byte = Sidecars().of(work.target.located.path).val_bits_per_byte
    if per_byte is None:
        return None
    converted = f"{per_byte:g} bits per byte, recorded beside the weights: converted"
    mean = bytes_of_a_token(work.validation or work.train, work.checkpoint, converted, work.watcher)
    return None if mean is None else per_byte * mean * math.log(2)


def _observed(work: Work, behaviour: Behaviour) -> tuple[Observed, ...]:
    from evalharness.diagnosis import Observed

    problems = work.problems
    return tuple(
        Observed(problems[c.task_id], c, a, _passed(behaviour, group, i))
        for group, completions in behaviour.completions.items()
        for i, (c, a) in enumerate(zip(completions, behaviour.analyses[group], strict=True))
    )


def _passed(behaviour: Behaviour, group: Group, index: int) -> bool | None:
    """None where the completion was not run, or could not be judged."""
    if group not in behaviour.executions:
        return None
    verdict = behaviour.executions[group][index].verdict
    return None if verdict is Verdict.NOT_JUDGED else verdict is Verdict.PASSED


def _first_step(work: Work) -> TorchModel | None:
    """The model as it was at the first step of its series, where it is no adapter and stands in one."""
    from evalharness.models.torch import load_checkpoint, locate_step
    from evalharness.models.torch.step_names import is_step_name

    if work.checkpoint.without_adapter is not None:
        return None
    own, steps = work.target.located.path.resolve(), work.target.located.steps
    if work.checkpoint.info.step is None and not is_step_name(own.name):
        return None  # a base beside the steps of its training is none of them
    first_step = next((step for step in steps if step.step is not None), None)
    if first_step is None or own == first_step.path.resolve() or own not in {s.path.resolve() for s in steps}:
        return None
    try:
        options = work.options
        first = load_checkpoint(
            first_step.path,
            work.manifest,
            located=locate_step(first_step, work.manifest),
            device=options.device,
            dtype=options.dtype,
            trust=options.trust,
        )
    except EvalHarnessError as error:
        work.watcher.say(f"no comparison with the first step, {first_step.path.name}: {error}")
        return None
    work.watcher.say(f"compared with {first_step.path.name}, the first step of this series")
    return first.model


def _greedy(work: Work, settings: Settings) -> Callable[[Sequence[Sequence[int]], int], list[tuple[int, ...]]]:
    """Completes prompts (ids) greedily as scoring does, but for loops, which run on."""
    from evalharness.generation import GREEDY, Prompting, Request, generate

    checkpoint = work.checkpoint
    prompting = Prompting("{prompt}", (), checkpoint.end_token_ids)

    def write(prompts: Sequence[Sequence[int]], new_tokens: int) -> list[tuple[int, ...]]:
        requests = [Request(f"prompt {i}", 0, GREEDY, tuple(ids), ()) for i, ids in enumerate(prompts)]
        # In batches of one size whatever was asked for, and nothing settled in double precision: shares are compared,
        # not tokens, and the same call gives the same ones.
        own = dataclasses.replace(
            settings, max_new_tokens=new_tokens, stop_loops=False, batch_size=BATCH, noise_nats=0.0
        )
        made = generate(checkpoint.model, checkpoint.tokenizer, requests, prompting, own, checkpoint.token_mask)
        by_prompt = {completion.task_id: completion.token_ids or () for completion in made}
        return [by_prompt[request.task_id] for request in requests]

    return write
