"""``view``: the page that shows scored checkpoints, made where several are to stand side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.errors import StoreError
from evalharness.pipeline.browsing import browser_of
from evalharness.progress import Silent
from evalharness.records import NO_STEP
from evalharness.runs import paths, scorecard_json
from evalharness.runs.folder import RunFolder
from evalharness.statistics.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from evalharness.progress import Watcher
    from evalharness.records import Scorecard


def view(
    folders: Sequence[Path],
    *,
    steps: Sequence[int] | None = None,
    out: Path | None = None,
    watcher: Watcher | None = None,
) -> Path:
    """The page of scored checkpoints: of one its report's, of several one with their completions side by side.

    A folder is that of a scored checkpoint, or that of a run: alone it stands for all of its steps, beside others for
    its last one, unless ``steps`` says which. The page of several is written to ``out``, else to ``view/`` in the first
    folder. Raises :class:`StoreError` where there is no score.
    """
    from evalharness import report

    chosen = [member for folder in folders for member in _members(folder, steps, alone=len(folders) == 1)]
    page = chosen[0] / paths.REPORT_PAGE
    if len(chosen) == 1 and page.is_file():
        return page
    (watcher or Silent()).stage(f"reading the completions of {counted(len(chosen), 'checkpoint')}", 1)
    cards = [scorecard_json.read(folder) for folder in chosen]
    named = dict(zip(_names(chosen, cards), zip(chosen, cards, strict=True), strict=True))
    title = next(iter(named)) if len(named) == 1 else ", ".join(folder.name for folder in folders)
    document = report.view_document(title, {name: card for name, (_, card) in named.items()})
    browser = browser_of({name: folder for name, (folder, _) in named.items()})
    with RunFolder(out or folders[0] / paths.VIEW) as view_folder:
        view_folder.write_pages(report.to_pages(document, browser))
        return view_folder.path / paths.REPORT_PAGE


def _members(folder: Path, steps: Sequence[int] | None, *, alone: bool) -> list[Path]:
    """The folders of the scored checkpoints that a folder stands for, in the order of their steps."""
    if paths.holds_score(folder):
        return [folder]
    by_step = {_step(member): member for member in paths.scored_steps(folder)}
    if not by_step:
        raise StoreError(paths.nothing_scored(folder))
    if steps is None:
        ordered = [by_step[step] for step in sorted(by_step)]
        return ordered if alone else ordered[-1:]
    missing = sorted(set(steps) - by_step.keys())
    if missing:
        there = ", ".join(str(step) for step in sorted(by_step) if step != NO_STEP)
        raise StoreError(f"{folder}: step {missing[0]} was not scored; it has {there or 'no numbered step'}")
    return [by_step[step] for step in sorted(set(steps))]


def _step(member: Path) -> int:
    step = paths.step_in(member)
    return NO_STEP if step is None else step


def _names(folders: Sequence[Path], cards: Sequence[Scorecard]) -> list[str]:
    """What each checkpoint is called; by its folder, too, where two are called alike."""
    from evalharness.report import checkpoint_name

    names = [checkpoint_name(card.checkpoint) for card in cards]
    return names if len(set(names)) == len(names) else [str(folder) for folder in folders]
