"""The settings of a score: the one place that lists them. See ``declaration.py`` for what is derived from it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence  # noqa: TC003 - read at run time, for help(evalharness.score)
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypedDict

from evalharness.settings.amounts import Duration, Size  # noqa: TC001 - the settings' types are read at run time
from evalharness.settings.declaration import setting
from evalharness.settings.environment import from_environment
from evalharness.settings.values import PYTHON, laid_over, read

SandboxLevel = Literal["auto", "A", "B", "C", "none"]
"""How programs are isolated: the strictest level that works on the machine, one level alone, or not at all."""
ChatUse = Literal["auto", "always", "never"]
DtypeName = Literal["float32", "bfloat16", "float16", "float64", "auto"]
NO_CLUSTER = "off"
RAY_ADDRESS = r"^(off|auto|local|[\w.-]+:\d+)$"
Backend = Literal["torch", "openai", "vllm"]
"""Who completes: the weights, in this process, a server that speaks OpenAI's completions protocol, or vLLM here."""


@dataclass(frozen=True, slots=True)
class ScoreOptions:
    """``[score]``: how checkpoints are scored."""

    problems: tuple[str, ...] = setting(
        ("humaneval", "warmup"),
        metavar="NAME|PATH,…",
        affects="score",
        needs_one=True,
        names_or_paths=True,
        help="Problem sets: humaneval, warmup (60 easy ones), mbpp, humaneval+, mbpp+ (downloaded), or JSONL files.",
    )
    samples: int = setting(
        4,
        at_least=0,
        affects="score",
        held_equal=True,
        help="Sampled completions per problem, in addition to one greedy completion.",
    )
    temperature: float = setting(
        0.8,
        above=0,
        affects="completions",
        held_equal=True,
        hint="a greedy completion is always made",
        help="Temperature of the sampled completions.",
    )
    top_p: float = setting(
        1.0,
        above=0,
        at_most=1,
        affects="completions",
        held_equal=True,
        metavar="FRACTION",
        help="Sample from the fewest tokens whose probabilities add up to at least this.",
    )
    top_k: int = setting(
        0,
        at_least=0,
        affects="completions",
        held_equal=True,
        help="Sample from the N most probable tokens (0: all).",
    )
    k: tuple[int, ...] = setting(
        (1, 4),
        at_least=1,
        affects="score",
        needs_one=True,
        help="Which pass@k to report. If not given: 1 and the number of samples.",
    )
    limit: int | None = setting(
        at_least=1, affects="score", without="all", help="Use the first N problems of each set."
    )
    within: Duration | None = setting(
        affects="score",
        without="no limit",
        hint="such as 90s, 5m or 1h",
        help="Most time for a checkpoint: as many problems, samples, rows and probes as fit, by timed passes of the "
        "model. What is left out is said, and probes that are not reached are not tested.",
    )
    max_new_tokens: int | None = setting(
        at_least=1,
        affects="completions",
        held_equal=True,
        without="enough for 800 characters",
        help="Most tokens of a completion.",
    )
    batch_size: int = setting(
        32, at_least=1, help="Rows per forward pass; changes no completion in float32 or float64."
    )
    pass_memory: Size | None = setting(
        without="a quarter of what is free",
        hint="such as 500MB or 4GB",
        help="Most memory for the logits of a forward pass that writes completions: fewer rows go into one where "
        "the vocabulary is large. One row always does.",
    )
    replicas: int = setting(
        1,
        at_least=1,
        help="Processes that write completions, each with the model loaded: one per GPU, or a share of the cores each; "
        "changes no completion in float32 or float64.",
    )
    chat: ChatUse = setting(
        "auto",
        affects="completions",
        held_equal=True,
        help="Put prompts into the tokenizer's chat template; auto: if the model seems tuned on it.",
    )
    device: str = setting(
        "auto", affects="completions", metavar="NAME", help="Where the model runs: auto, cpu, cuda, cuda:1, mps."
    )
    dtype: DtypeName = setting(
        "auto",
        affects="completions",
        help="Number format of the weights; auto: the checkpoint's own, but float32 for half precision on a CPU if "
        "memory allows.",
    )
    backend: Backend = setting(
        "torch",
        affects="back_end",
        held_equal=True,
        help="Who writes the completions: torch, here; openai, a server that speaks OpenAI's completions protocol "
        "(vLLM, SGLang, llama.cpp); or vllm, started here.",
    )
    base_url: str | None = setting(
        affects="back_end",
        metavar="URL",
        without="none",
        pattern=r"^https?://[^\s/]\S*$",
        hint="an address such as http://localhost:8000/v1",
        help="Address of the server, such as http://localhost:8000/v1.",
    )
    model: str | None = setting(
        affects="back_end",
        metavar="NAME",
        without="the server's only one",
        help="Which of the server's models; with --backend vllm and no CHECKPOINT, a Hugging Face folder or name.",
    )
    tokenizer: Path | None = setting(
        affects="back_end",
        without="the checkpoint's, or none",
        help="Tokenizer of the server's model: a Hugging Face folder or a tokenizer.json. Without one, loops are found "
        "in the text alone.",
    )
    concurrency: int = setting(16, at_least=1, help="Requests to the server at a time.")
    vllm_options: tuple[str, ...] = setting(
        (),
        affects="back_end",
        metavar="NAME=VALUE,…",
        pattern=r"^[a-z]\w*=.+$",
        hint="NAME=VALUE, such as tensor_parallel_size=2",
        help="Options of vLLM itself, such as tensor_parallel_size=2 for two GPUs.",
    )
    seed: int = setting(
        0, affects="completions", held_equal=True, help="Seed of the sampled completions and of the intervals."
    )
    workers: int | None = setting(at_least=1, without="one per core", help="How many generated programs run at a time.")
    sandbox: SandboxLevel = setting(
        "auto",
        affects="score",
        help="Isolation of the generated programs: Landlock and seccomp (C), with a separate user (B), or with "
        "namespaces (A, the strictest). auto: the strictest that works here, else an error. none: unsafe, programs run "
        "with your permissions.",
    )
    ray: str = setting(
        NO_CLUSTER,
        metavar="[ADDRESS]",
        pattern=RAY_ADDRESS,
        alone="auto",
        hint="off, auto, local or HOST:PORT; give --ray=auto if an argument follows",
        help="Run programs, steps of a run, and with --replicas N completions, on a Ray cluster: HOST:PORT of its head "
        "node; auto, the one that this machine knows, else one started here; local, always one started here.",
    )
    packages: tuple[str, ...] = setting(
        (),
        affects="score",
        held_equal=True,
        metavar="NAME,…",
        help="Packages that the generated programs may import, such as numpy.",
    )
    out: Path = setting(Path("reports"), help="Folder for the reports.")
    problem_paths: dict[str, Path] | None = setting(
        metavar="NAME=PATH,…",
        affects="score",
        places=("command", "pytest", "environment", "python"),
        hint="NAME=PATH",
        help="Where the file of a named problem set is: mbpp=/data/mbpp.jsonl,ours=ours.jsonl.",
    )
    stop_loops: bool = setting(
        True,
        affects="completions",
        held_equal=True,
        help="Stop a completion once it loops.",
    )
    all_probes: bool = setting(
        False,
        affects="score",
        help="Run every probe of the diagnosis, even after one has explained everything.",
    )
    step: int | None = setting(
        at_least=0,
        places=("command", "python"),
        without="the one marked as best by its file's name or by the trainer, else the last",
        help="Which step to use, if CHECKPOINT is a folder of several.",
    )
    log: tuple[Path, ...] = setting(
        (),
        affects="score",
        places=("command", "pytest", "python"),
        metavar="FILE,…",
        without="found beside the checkpoint or above it",
        help="The training log of the checkpoint, or several of one run, instead of the manifest's.",
    )
    revision: str | None = setting(
        affects="completions",
        places=("command", "pytest", "python"),
        metavar="NAME",
        without="main",
        help="Branch, tag or commit of a model of the Hugging Face hub.",
    )
    trust: bool = setting(
        False,
        places=("command", "pytest", "python"),
        help="Allow code to run that comes with a checkpoint: model code in its folder, a manifest from outside the "
        "current folder, pickled weights.",
    )


class ScoreSettings(TypedDict, total=False):
    """The same for type checkers, with everything that may be given in Python (a test compares the two)."""

    problems: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
    samples: int
    temperature: float
    top_p: float
    top_k: int
    k: int | Sequence[int]
    limit: int | None
    within: str | None
    max_new_tokens: int | None
    batch_size: int
    pass_memory: str | None
    replicas: int
    chat: ChatUse
    device: str
    dtype: DtypeName
    backend: Backend
    base_url: str | None
    model: str | None
    tokenizer: str | os.PathLike[str] | None
    concurrency: int
    vllm_options: str | Sequence[str]
    seed: int
    workers: int | None
    sandbox: SandboxLevel
    ray: str
    packages: str | Sequence[str]
    out: str | os.PathLike[str]
    problem_paths: Mapping[str, str | os.PathLike[str]] | None
    stop_loops: bool
    all_probes: bool
    step: int | None
    log: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
    revision: str | None
    trust: bool


def resolve(
    asked: Mapping[str, Any], manifest: Mapping[str, Any], environment: Mapping[str, str] | None = None
) -> ScoreOptions:
    """Lay ``asked`` over ``EVALHARNESS_*`` over the manifest over the defaults; None means "not given".

    ``environment`` is the process's own unless another is given. Raises :class:`evalharness.errors.SettingError`, one
    line with every fault.
    """
    said = from_environment(ScoreOptions, os.environ if environment is None else environment)
    layers = (read(ScoreOptions, asked, PYTHON), said, manifest)
    samples = laid_over(ScoreOptions, *layers).samples
    return laid_over(ScoreOptions, *layers, {"k": k_of(samples)})


def k_of(samples: int) -> tuple[int, ...]:
    """Which pass@k are reported if nobody says: of one completion, and of as many as there are of each problem."""
    return (1, samples) if samples > 1 else (1,)
