"""``evalharness audit``: how good the tests of a problem set are."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import astuple, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalharness.commands.exit_codes import INCOMPLETE, exit_codes
from evalharness.commands.options import settings_options
from evalharness.commands.terminal_progress import watcher
from evalharness.commands.whole_words import echo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.pipeline.auditing import Audit, AuditedProblem

WORST = 20
"""At most this many problems are listed: a screen holds them and the summary."""


@click.command(epilog=exit_codes())
@click.argument("problems", metavar="SET")
@click.option(
    "--mutants", metavar="N", type=click.IntRange(1), default=10, show_default=True, help="Wrong programs per problem."
)
@click.option("--limit", metavar="N", type=click.IntRange(1), help="Only the first N problems.")
@click.option("--seed", metavar="N", type=int, default=0, show_default=True, help="Chooses the wrong programs.")
@click.option("--out", type=click.Path(path_type=Path), default=Path(), help="Folder for the results (default: here).")
@settings_options("workers", "sandbox", "packages", "problem_paths")
@click.option("--json", "as_json", is_flag=True, help="Print everything as one JSON object.")
@click.option("--csv", "as_csv", is_flag=True, help="Print a row of CSV for each problem.")
def audit(
    problems: str,
    mutants: int,
    limit: int | None,
    seed: int,
    out: Path,
    asked: dict[str, Any],
    as_json: bool,
    as_csv: bool,
) -> None:
    """Measure how many wrong programs the tests of a problem set let pass.

    SET is humaneval, humaneval+, mbpp, mbpp+, warmup or a path. Each canonical solution is changed in one place
    (operators, constants, off by one, early return, dropped branch), and the tests judge what comes of it. On
    humaneval+ and mbpp+, a program that passes the base tests and fails a plus test is wrong for sure. A program that
    passes all tests is undecided: it is wrong, or its change makes no difference.

    Writes audit_SET.jsonl with each program and its verdict. A killed command goes on where it was.

    \b
    evalharness audit humaneval+
    evalharness audit mbpp+ --mutants 4 --csv > mbpp.csv
    evalharness audit my_problems.jsonl --limit 20
    """
    from evalharness.pipeline.auditing import audit_problems

    with watcher() as watching:
        result = audit_problems(problems, mutants=mutants, limit=limit, seed=seed, out=out, watcher=watching, **asked)
    if as_json:
        click.echo(to_json(result))
    elif as_csv:
        click.echo(to_csv(result), nl=False)
    else:
        for line in lines(result):
            echo(line)
    click.get_current_context().exit(INCOMPLETE if result.incomplete else 0)


def to_json(result: Audit) -> str:
    """One object: the shares with their intervals, and the counts of each problem."""
    from evalharness.runs.json_values import plain

    return json.dumps({**plain(result), "results": str(result.results)})


def to_csv(result: Audit) -> str:
    """A head and a row for each problem."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(field.name for field in fields(result.problems[0]))
    rows.writerows(map(astuple, result.problems))
    return text.getvalue()


def lines(result: Audit) -> Iterator[str]:
    """The worst problems, then the whole set."""
    from evalharness.pipeline.judging import listed
    from evalharness.report.numbers import percent_interval

    weak = sorted((p for p in result.problems if any(_weakness(p))), key=_weakness, reverse=True)
    for problem in weak[:WORST]:
        yield f"{problem.task_id}: {_counts(problem)}"
    if len(weak) > WORST:
        yield f"the {WORST} weakest of {len(weak)} problems; --csv prints every one"
    total, wrong = (sum(getattr(problem, name) for problem in result.problems) for name in ("mutants", "wrong"))
    yield f"{total:,} programs made of {len(result.problems)} solutions: {wrong:,} fail a test, so they are wrong"
    if result.wrong_pass_base is not None:
        yield f"wrong programs that pass the base tests: {percent_interval(result.wrong_pass_base)}"
    if result.undecided is not None:
        yield f"programs that pass all tests (wrong, or equal to the solution): {percent_interval(result.undecided)}"
    if result.unsolved:
        yield f"problems whose own canonical solution fails: {listed(result.unsolved)}"
    if result.release is not None:
        yield f"problems: {result.release}"
    yield f"isolation: {result.isolation}"
    yield f"written: {result.results}"


def _weakness(problem: AuditedProblem) -> tuple[int, int]:
    """By what the list is sorted: how many programs passed the base tests, those first that are wrong for sure."""
    return problem.wrong_pass_base or 0, problem.undecided


def _counts(problem: AuditedProblem) -> str:
    base = f"{problem.wrong_pass_base} of {problem.wrong} wrong programs pass the base tests; "
    undecided = f"{problem.undecided} of {problem.mutants} programs pass all tests"
    return (base if problem.wrong_pass_base else "") + undecided
