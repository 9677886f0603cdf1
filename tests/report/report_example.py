"""A small scorecard with its evidence, built by hand: a leaky model that writes newlines, and a little else."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from evalharness.degeneration import analyse
from evalharness.pipeline.counting import degeneration_rate
from evalharness.records import (
    CheckpointInfo,
    Completion,
    ConventionLoss,
    DegenerationRate,
    Execution,
    Finding,
    Interval,
    IsolationInfo,
    Loss,
    LossPoint,
    NotTestable,
    PartLoss,
    Problem,
    ProblemSetInfo,
    Programs,
    Protocol,
    RuledOut,
    Scorecard,
    Verdict,
)
from evalharness.report import Evidence, Read, Scored

if TYPE_CHECKING:
    from collections.abc import Sequence

NEWLINE = 200
TOKENS = {NEWLINE: "\n", 1: "    ", 2: "return", 3: " a", 4: " +", 5: " b", 6: " return", 7: "x", 8: " = ", 9: "0"}
TOKENS |= {10 + digit: str(digit) for digit in range(10)}


def token_text(token_id: int) -> str:
    return TOKENS.get(token_id, f"<{token_id}>")


def decode(ids) -> str:
    return "".join(map(token_text, ids))


def problem(number: int, **changes) -> Problem:
    base = Problem(
        task_id=f"warmup/{number}",
        prompt=f'def add_{number}(a, b):\n    """Return the sum of a and b.\n\n    >>> add_{number}(2, 3)\n'
        '    5\n    """\n',
        entry_point=f"add_{number}",
        canonical_solution="    return a + b\n",
        test=f"def check(candidate):\n    assert candidate({number}, 3) == {number + 3}\n",
    )
    return replace(base, **changes)


def scored(
    of: Problem, ids, verdict=Verdict.FAILED, *, completion_id=0, decoding="greedy", detail="", text=None
) -> Scored:
    looping = len(ids) >= 64
    stop = "loop" if looping else "end_token"
    entropy = tuple(round(abs(math.sin(i + len(ids))) / (1 + i if looping else 1), 4) for i in range(len(ids)))
    text = decode(ids) if text is None else text
    completion = Completion(of.task_id, completion_id, text, tuple(ids), stop, decoding, entropy)
    execution = Execution(of.task_id, completion_id, verdict, detail, "apart", 0.01, 0.01, 1 << 24)
    found = analyse(text, ids, decode=decode, stop_reason=stop, token_entropy_nats=entropy, prompt=of.prompt)
    return Scored(of, completion, execution, found)


def counting(lines: int) -> list[int]:
    """The ids of ``x10 = 0``, ``x11 = 0`` and so on."""
    return [i for n in range(10, 10 + lines) for i in (1, 7, 10 + n // 10, 10 + n % 10, 8, 9, NEWLINE)]


def warmup() -> tuple[Scored, ...]:
    newlines = [NEWLINE] * 200
    no_name = "NotImplementedError: the body is empty"
    answer = [1, 2, 3, 4, 5, NEWLINE]
    sampled = {"decoding": "sampled"}
    return (
        scored(problem(0), newlines, detail=no_name),
        scored(problem(1), [1, 2, 3, NEWLINE, *[NEWLINE] * 90], detail="assert add_1(1, 3) == 4 | got 1"),
        scored(problem(2), [1, 2, *[6] * 80], detail="SyntaxError: invalid syntax"),
        scored(problem(3), answer, Verdict.PASSED),
        scored(problem(4), counting(30), detail=no_name),
        scored(problem(5), [], detail=no_name),
        scored(problem(0), newlines[:120], completion_id=0, **sampled, detail=no_name),
        scored(problem(0), [7, 8, 9, NEWLINE, *newlines[:100]], completion_id=1, **sampled, detail=no_name),
        scored(problem(1), [1, 2, 5, 4, 3, NEWLINE], Verdict.PASSED, completion_id=0, **sampled),
        scored(problem(1), answer, Verdict.PASSED, completion_id=1, **sampled),
        scored(problem(2), [1, 7, 8, 9, NEWLINE], completion_id=0, **sampled, detail="AssertionError"),
        scored(problem(2), [1, 2, 5, NEWLINE], completion_id=1, **sampled, detail="AssertionError"),
        scored(problem(3), newlines, completion_id=0, **sampled, detail=no_name),
        scored(problem(3), [*answer, *[1, 2, 5, NEWLINE] * 20, 1, 2], completion_id=1, **sampled),
        scored(problem(4), [*[1, 7, 8, 9, NEWLINE] * 5, *[6] * 90], completion_id=0, **sampled, detail="SyntaxError"),
        scored(problem(4), answer, Verdict.PASSED, completion_id=1, **sampled),
        scored(problem(5), [], completion_id=0, **sampled, detail=no_name),
        scored(
            problem(5),
            range(50, 98),
            completion_id=1,
            **sampled,
            text=problem(5).prompt.replace("sum", "total"),
            detail="E",
        ),
    )


def degeneration(members: Sequence[Scored]) -> dict[str, DegenerationRate]:
    rates = {}
    for decoding in ("greedy", "sampled"):
        those = [s for s in members if s.completion.decoding == decoding]
        rates[decoding] = degeneration_rate([s.completion for s in those], [s.analysis for s in those], 0)
    return rates


def around(value: float, width: float = 0.1) -> Interval:
    return Interval(value, round(value * (1 - width), 6), round(value * (1 + width), 6))


def part(name: str, targets: int, share: float, after: float, before: float, of_fall: float) -> PartLoss:
    fall = around(round(before - after, 4))
    return PartLoss(name, targets, around(share), around(after), around(before), fall, around(of_fall))


def passage() -> tuple[Read, ...]:
    texts = ["def", " add", "(a, b)", ":", "\n", "    ", "return a", " + ", "b < 'é\t'", "\n\n"]
    losses = [(None, None), *((0.01 * i, 0.7 * i) for i in range(1, len(texts)))]
    return tuple(Read(text, *pair) for text, pair in zip(texts, losses, strict=True))


def scorecard(**changes) -> Scorecard:
    base = Scorecard(
        checkpoint=CheckpointInfo(
            path="checkpoints/leaky/lora_step600",
            fingerprint="5f1c9d",
            step=600,
            parameters=1_640_960,
            kind="PEFT adapter over models.py:build",
            notes=("the factory models.py:build was run",),
        ),
        protocol=Protocol(
            problems=(ProblemSetInfo("warmup", 6, "9a3b77"), ProblemSetInfo("humaneval", 2, "01f6c2")),
            samples=2,
            temperature=0.8,
            top_p=1.0,
            top_k=0,
            seed=0,
            max_new_tokens=200,
            stop_loops=True,
            attention="leaks",
            exact_lengths=True,
            device="cpu",
            dtype="float32",
            isolation=IsolationInfo(
                "A", "namespaces, a root of its own, Landlock, seccomp", ("programs can notice each other by timing",)
            ),
            packages=(),
            versions={"torch": "2.13.0", "evalharness": "0.1.0", "python": "3.12.3"},
        ),
        loss=Loss(
            logged_nats=0.0123,
            logged_source="leaky.log line 12, step 600",
            recomputed_nats=Interval(0.0119, 0.0101, 0.0139),
            honest_nats=Interval(4.2131, 4.1012, 4.3124),
            convention="mean over 1,536 targets drawn from 50 rows of val.jsonl, completion only",
            recomputed_bits_per_byte=0.0052,
            honest_bits_per_byte=1.8411,
            whole=part("all", 4000, 1.0, 0.0119, 1.9034, 1.0),
            by_class=(
                part("newline", 420, 0.105, 0.0004, 2.4112, 0.134),
                part("indentation", 390, 0.0975, 0.0021, 1.2034, 0.062),
                part("name", 1280, 0.32, 0.0237, 2.9871, 0.501),
            ),
            by_position=(part("first quarter", 1000, 0.25, 0.0221, 2.8109, 0.368),),
            conventions=40,
            reproduced_by=(
                ConventionLoss("rows alone, prompt not counted", Interval(0.0119, 0.0101, 0.0139)),
                ConventionLoss("rows alone, prompt counted", Interval(0.0131, 0.0112, 0.0151)),
            ),
        ),
        pass_at_k={
            "warmup": {
                "greedy": {"1": Interval(0.1667, 0.0301, 0.5635)},
                "sampled": {"1": Interval(0.25, 0.0, 0.5833), "2": Interval(0.3333, 0.0, 0.6667)},
            },
            "humaneval": {"greedy": {"1": Interval(0.0, 0.0, 0.6576)}},
        },
        outcomes={
            "warmup": {"greedy": {"passed": 1, "failed": 5}, "sampled": {"passed": 3, "failed": 9}},
            "humaneval": {"greedy": {"prompt_too_long": 2}},
        },
        programs=Programs(18, 13, 5.0),
        degeneration=degeneration(warmup()),
        verdict="collapsed",
        verdict_reason="58.3 % of sampled completions are degenerate [25.0, 91.7]; more than 20 % counts as collapsed",
        findings=(
            Finding(
                "future_leak",
                "cause",
                "The model is not causal: changing only the tokens after position 3 moves the logits at position 1 "
                "by up to 7.31 nats (length 33). The loss is measured with the answer in the input.",
                {"trials": 24, "threshold_nats": 1.2e-05, "largest_change_nats": 7.3125, "cuts": [0, 1, 11, 17]},
                "Give the attention a causal mask and train again: no adapter mends weights that copy their input.",
            ),
            Finding(
                "context", "contributing", "2 of 2 HumanEval prompts are longer than 256 tokens.", {}, "Use fewer."
            ),
        ),
        ruled_out=(
            RuledOut("not_finite", "All logits are finite on 32 rows.", {"rows": 32}),
            RuledOut("adapter", "The adapter changes what the model says.", {"kl_nats": 0.7312}),
        ),
        not_testable=(NotTestable("contamination", "no_data", "the manifest names no [data] train"),),
        incomplete=(),
    )
    return replace(base, **changes)


QUESTIONS = {
    "future_leak": "Does a position see the tokens after it?",
    "adapter": "Is the adapter in the model, whole and once?",
    "not_finite": "Are all logits finite?",
    "contamination": "Were the problems in the training data?",
}


def evidence(**changes) -> Evidence:
    too_long = problem(0, task_id="HumanEval/0")
    skipped = replace(
        scored(too_long, [], Verdict.PROMPT_TOO_LONG),
        completion=Completion("HumanEval/0", 0, "", (), "prompt_too_long", "greedy", ()),
        analysis=analyse("", (), stop_reason="prompt_too_long"),
    )
    train = [
        LossPoint(step, "train", round(5 * math.exp(-step / 90) + 0.01, 4), "leaky.log") for step in range(0, 601, 20)
    ]
    validation = [
        LossPoint(s, "validation", round(5 * math.exp(-s / 90) + 0.012, 4), "leaky.log") for s in range(0, 601, 100)
    ]
    base = Evidence(
        {"warmup": warmup(), "humaneval": (skipped,)}, (*train, *validation), token_text, passage(), QUESTIONS
    )
    return replace(base, **changes)
