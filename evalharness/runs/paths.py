"""Where everything of a run folder lies. No other module spells these names.

::

    reports/<run>/                  one training run, or one checkpoint that stands alone
        report.md  report.html  figures/    over all of its steps
        view/                       the page on which several checkpoints stand side by side
        run.json                    what is known of the run beside its scores
        log.jsonl                   the losses that training logged
        entropy.jsonl               the entropies that training logged, if it did
        step_<N>/  <name>/          one scored checkpoint; of one whose step is not known its name, or final
            scorecard.json  report.md  report.html  figures/  examples.jsonl
            completions_<N>.html    the completions, where they are too many for one page
            problems.jsonl  tokens.json    what was asked for, and what each token id is as text
            completions/<problems>.<decoding>.jsonl    executions/…    analyses/…
            losses/validation.jsonl                    the measured losses, row by row
            losses/logged.jsonl  losses/passage.jsonl  the losses logged up to it; a passage, loss by loss
            .journal/               what a killed command goes on from, whose folder this is, and whether it still holds

Names are relative to the folder that they lie in, with ``/``, so that a report can link them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCORECARD = "scorecard.json"
REPORT = "report.md"
REPORT_PAGE = "report.html"
EXAMPLES = "examples.jsonl"
PROBLEMS = "problems.jsonl"
IDS_AS_TEXT = "tokens.json"
ROW_LOSSES = "losses/validation.jsonl"
STEP_LOG = "losses/logged.jsonl"
PASSAGE = "losses/passage.jsonl"
RUN_RECORD = "run.json"
LOGGED_LOSSES = "log.jsonl"
LOGGED_ENTROPIES = "entropy.jsonl"
STAMP = ".journal/stamp.json"
OWNER = ".journal/owner.json"
LOCK = ".lock"
TURN_LOCK = ".turn.lock"
VIEW = "view"
"""The folder of the page on which several checkpoints stand side by side."""
PAGE_PARTS_PATTERN = "completions_*.html"
COMPLETIONS_PATTERN = "completions/*.jsonl"
_STEP, _NO_STEP = "step_", "final"


@dataclass(frozen=True, slots=True, order=True)
class Group:
    """The files of one problem set and decoding."""

    problems: str
    decoding: str

    @property
    def completions(self) -> str:
        """What the model wrote."""
        return f"completions/{self}.jsonl"

    @property
    def executions(self) -> str:
        """What happened when it ran."""
        return f"executions/{self}.jsonl"

    @property
    def analyses(self) -> str:
        """What is degenerate in it."""
        return f"analyses/{self}.jsonl"

    def __str__(self) -> str:
        return f"{self.problems}.{self.decoding}"


def page_part(number: int) -> str:
    """The page with one part of the completions, beside the page of the report."""
    return f"completions_{number}.html"


def journal(kind: str) -> str:
    """The journal of one kind of record."""
    return f".journal/{kind}.jsonl"


def step_folder(step: int | None, name: str = _NO_STEP) -> str:
    """The folder of a scored checkpoint in that of its run: by its step, or by its ``name`` if none is known."""
    return name if step is None else f"{_STEP}{step}"


def step_in(folder: Path) -> int | None:
    """The step in the name of a scored checkpoint's folder; None without one."""
    number = folder.name.removeprefix(_STEP)
    return int(number) if number.isdigit() else None


def groups_in(folder: Path) -> list[Group]:
    """The problem sets and decodings that a scored checkpoint's folder has completions of."""
    return [Group(*file.stem.rsplit(".", 1)) for file in sorted(folder.glob(COMPLETIONS_PATTERN))]


def holds_score(folder: Path) -> bool:
    """Whether a folder is that of one scored checkpoint."""
    return (folder / SCORECARD).is_file()


def scored_steps(run: Path) -> list[Path]:
    """The folders of the scored checkpoints of a run, by their names."""
    return sorted(card.parent for card in run.glob(f"*/{SCORECARD}"))


def runs_in(reports: Path) -> list[Path]:
    """The folders of the runs in one of reports, by their names."""
    return sorted({card.parent.parent for card in reports.glob(f"*/*/{SCORECARD}")})


def nothing_scored(folder: Path) -> str:
    """What is said of a folder that is that of no run: it may hold some."""
    runs = runs_in(folder) if folder.is_dir() else []
    if runs:
        return f"{folder}: holds {len(runs)} run{'s' * (len(runs) > 1)}: name one, such as {runs[0]}"
    return f"{folder}: no {SCORECARD} in it or in its folders: evalharness run or score makes them"


def begun_steps(run: Path) -> list[Path]:
    """The same with the folders that hold no more than a journal yet."""
    return sorted({*scored_steps(run), *(journals.parent for journals in run.glob("*/.journal"))})


def runs_beside(run: Path) -> Iterator[Path]:
    """The folders of the other runs beside one, by their names."""
    for record in sorted(run.parent.glob(f"*/{RUN_RECORD}")):
        if record.parent != run:
            yield record.parent


def is_scorecard(path: Path) -> bool:
    """Whether a path is that of a scorecard's file."""
    return path.name == SCORECARD
