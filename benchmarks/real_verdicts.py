"""The verdicts on real files of completions, and completions of each to read beside its verdict.

``python benchmarks/real_verdicts.py FOLDER`` reads the completions of HumanEval in every ``*.jsonl.gz`` of ``FOLDER``
as ``evalharness convert`` does, but runs no program: a verdict does not depend on what passes. It prints a table.
``--read FILE`` prints fifteen completions of one file, drawn with a seed, with what was found in each.
"""

from __future__ import annotations

import argparse
import os
import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tables import table

from evalharness.completion_files import read_completions
from evalharness.completion_files.tasks import Tasks
from evalharness.pipeline.importing import analyses_of, completions_of
from evalharness.pipeline.judging_files import jobs_of
from evalharness.pipeline.measuring import behaviour_of
from evalharness.problems import load_problems
from evalharness.report.numbers import percent_interval

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evalharness.degeneration import Degeneration, Judgement
    from evalharness.records import Completion, DegenerationRate

READ = 15
SHOWN_CHARACTERS = 700


@dataclass(frozen=True, slots=True)
class FileVerdict:
    """One file: its completions with what was found in each, the shares of degenerate ones, and the verdict."""

    file: str
    decoding: str
    completions: tuple[Completion, ...]
    analyses: tuple[Degeneration, ...]
    rate: DegenerationRate
    judgement: Judgement

    @property
    def row(self) -> tuple[str, ...]:
        """A row of the table."""
        shares = self.rate.shares
        return (
            self.file,
            f"{len(self.completions)} {self.decoding}",
            self.judgement.verdict.replace("_", " "),
            percent_interval(shares["degenerate_without_answer"]),
            percent_interval(shares["loop_after_answer"]),
        )


def verdicts(folder: Path, files: Iterable[str] = ()) -> list[FileVerdict]:
    """The verdict on each file of ``folder``, or on those that are named (without ``.jsonl.gz``)."""
    wanted = set(files)
    return [_verdict(path) for path in sorted(folder.glob("*.jsonl.gz")) if not wanted or _name(path) in wanted]


def _verdict(path: Path) -> FileVerdict:
    problems = load_problems("humaneval", environment=os.environ)
    written = read_completions(path).completions
    jobs = jobs_of(path, written, Tasks(problems))
    completions = completions_of(jobs, written, temperature=None)
    analyses = analyses_of(jobs, completions)
    decoding = completions[0].decoding
    group = (problems.name, decoding)
    behaviour = behaviour_of({group: completions}, {}, {group: analyses}, seed=0)
    return FileVerdict(_name(path), decoding, completions, analyses, behaviour.rates[decoding], behaviour.judgement)


def _name(path: Path) -> str:
    return path.name.removesuffix(".jsonl.gz")


def as_markdown(found: Iterable[FileVerdict]) -> str:
    """The table of ``docs/measured/real_verdicts.md``."""
    header = ("File", "Completions", "Verdict", "Degenerate, loops after an answer left out", "Loops after an answer")
    return table(header, [verdict.row for verdict in found])


def to_read(found: FileVerdict, seed: int = 0) -> str:
    """Fifteen completions of a file to read, and how many of each kind there are."""
    kinds = Counter(f"{a.kind}{' after the answer' if a.after_answer else ''}" for a in found.analyses if a.degenerate)
    drawn = sorted(random.Random(seed).sample(range(len(found.completions)), min(READ, len(found.completions))))
    texts = [
        f"===== {at} {found.completions[at].task_id}: {found.analyses[at].evidence}\n"
        f"{found.completions[at].text[:SHOWN_CHARACTERS]}"
        for at in drawn
    ]
    return "\n".join([f"{found.file}: {found.judgement.verdict}: {found.judgement.reason}; {dict(kinds)}", *texts])


def main() -> None:
    """Print the table, or completions to read."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--read", metavar="FILE", help="print fifteen completions of this file")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    if asked.read:
        (found,) = verdicts(asked.folder, [asked.read])
        print(to_read(found, asked.seed))
    else:
        print(as_markdown(verdicts(asked.folder)))


if __name__ == "__main__":
    main()
