"""Completions to browse, built by hand; and texts that would run a script or load something, if they could."""

from __future__ import annotations

from dataclasses import replace

import report_example as example

from evalharness.report.completion_browser import BrowsedCompletion, BrowsedProblem, CompletionBrowser
from evalharness.report.placed_tokens import placed_tokens

HOSTILE = (
    "<script>window.ran = 1</script>",
    "</pre></td></details></style></title></script><script>window.ran = 1</script>",
    "<img src=x onerror='window.ran = 1'><img src='https://example.org/seen'>",
    '"><svg onload="window.ran = 1"><a href="javascript:window.ran = 1">',
    "<iframe srcdoc='<script>parent.ran = 1</script>'></iframe><meta http-equiv=refresh content='0;url=https://x'>",
    "<style>@import 'https://example.org/x.css'; body { display: none }</style><base href='https://example.org/'>",
    "<!--<script>", "-->", "&lt;script&gt;window.ran = 1&lt;/script&gt;", "{{ 7 * 7 }}{% raw %}",
    "\\u003cscript\\u003e", "`${window.ran = 1}`", "';window.ran = 1;//", "\x00\x1b[31m\r\u202e\u2028\ud800\x07",
)  # fmt: skip
TOKENS = {1: "    ", 2: "return", 3: " a", 4: " +", 5: " b", 6: "\n", 7: "\N{REPLACEMENT CHARACTER}"}


def completion(text: str = "    return a\n", **changes) -> BrowsedCompletion:
    base = BrowsedCompletion(
        column=0, decoding="greedy", completion_id=0, text=text, loop=None, tokens=(), kind=None, evidence="no loop",
        verdict="failed", message="AssertionError", stop_reason="end_token",
    )  # fmt: skip
    return replace(base, **changes)


def looping() -> BrowsedCompletion:
    ids = [1, 2, 3, *[6] * 20]
    text = "    return a" + 20 * "\n"
    entropies = [0.5, 0.1, 3.2, *[0.0] * 20]
    tokens = placed_tokens(text, ids, TOKENS, entropies)
    return completion(text, loop=(12, 32), tokens=tokens, kind="newline", evidence="newline repeated 20 times")


def problem(number: int, *completions: BrowsedCompletion) -> BrowsedProblem:
    of = example.problem(number)
    return BrowsedProblem("warmup", of.task_id, of.prompt, of.canonical_solution, completions)


def sampled(number: int, **changes) -> BrowsedCompletion:
    return completion(decoding="sampled", completion_id=number, **changes)


def browser() -> CompletionBrowser:
    """Two problems of one checkpoint: 4 of 6 completions failed, 2 are degenerate."""
    return CompletionBrowser(
        ("small, step 10",),
        (
            problem(0, looping(), sampled(0, verdict="passed", message=""), sampled(1)),
            problem(1, completion(verdict="passed"), replace(looping(), decoding="sampled"), sampled(1)),
        ),
    )


def hostile_browser() -> CompletionBrowser:
    """Every text of a completion and of its problem is hostile, in two columns."""
    problems = (
        BrowsedProblem(text, text, text, text, tuple(hostile_completion(text, column) for column in (0, 1)))
        for text in HOSTILE
    )
    return CompletionBrowser((HOSTILE[0], HOSTILE[1]), tuple(problems))


def hostile_completion(text: str, column: int) -> BrowsedCompletion:
    everywhere = {"kind": text, "evidence": text, "verdict": text, "message": text}
    return completion(text, column=column, loop=(0, len(text)), **everywhere)
