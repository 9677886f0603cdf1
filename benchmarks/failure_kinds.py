"""Which kinds of failure people report, how often, and whether evalharness names them.

    python benchmarks/failure_kinds.py

Reads ``gallery/failure_kinds.json``: the phrases that were asked, and each report with its cause, by kind. ``cases`` of
a kind are those of the gallery that have it; what was said of them first is in ``docs/measured/gallery.json``. Writes
docs/failure-kinds.md.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gallery_cases import GALLERY, cases
from tables import table

from gallery import read_results

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gallery_cases import Case

    from gallery import Measured

ROOT = Path(__file__).resolve().parent.parent
RECORD, PAGE = GALLERY / "failure_kinds.json", ROOT / "docs" / "failure-kinds.md"
MEASURED = ROOT / "docs" / "measured" / "gallery.json"


@dataclass(frozen=True, slots=True)
class Report:
    """A public thread (``owner/repository#number``) and the cause that its stored excerpt tells, in one clause."""

    thread: str
    cause: str

    @property
    def address(self) -> str:
        """Where it is; of a pull request this leads to it as well."""
        repository, _, number = self.thread.partition("#")
        return f"https://github.com/{repository}/issues/{number}"


@dataclass(frozen=True, slots=True)
class Kind:
    """Reports with the same kind of cause, and the names of the cases of the gallery that have it."""

    name: str
    cases: tuple[str, ...]
    reports: tuple[Report, ...]


@dataclass(frozen=True, slots=True)
class Kinds:
    """All kinds, the most frequent first, and the phrases that were asked."""

    phrases: tuple[str, ...]
    kinds: tuple[Kind, ...]

    @property
    def reports(self) -> tuple[Report, ...]:
        """Those of all kinds."""
        return tuple(report for kind in self.kinds for report in kind.reports)


def main() -> None:
    PAGE.write_text(page(read_kinds(), cases(), read_results(MEASURED)), encoding="utf-8")


def read_kinds(path: Path = RECORD) -> Kinds:
    """The record as it is kept."""
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    kinds = [
        Kind(item["kind"], tuple(item["cases"]), tuple(Report(**report) for report in item["reports"]))
        for item in content["kinds"]
    ]
    kinds.sort(key=lambda kind: -len(kind.reports))
    return Kinds(tuple(asked["phrase"] for asked in content["asked"]), tuple(kinds))


def page(found: Kinds, every: Sequence[Case], results: Mapping[str, Measured]) -> str:
    """The whole page."""
    known = {case.name: case for case in every}
    tried = {kind.name: _by_case(kind, known, results) for kind in found.kinds}
    named = [kind for kind in found.kinds if tried[kind.name] and all(tried[kind.name].values())]
    untried = [kind for kind in found.kinds if not tried[kind.name]]
    head = HEAD.format(
        phrases=len(found.phrases),
        reports=len(found.reports),
        kinds=len(found.kinds),
        named=len(named),
        named_reports=sum(len(kind.reports) for kind in named),
        untried=len(untried),
        untried_reports=sum(len(kind.reports) for kind in untried),
    )
    rows = [
        [kind.name, str(len(kind.reports)), _link(kind.reports[0]), _said(tried[kind.name], results)]
        for kind in found.kinds
    ]
    asked = "\n".join(f"- {phrase}" for phrase in found.phrases)
    return (
        "\n\n".join(
            [head, table(["kind", "reports", "one of them", "what is said first of its cases"], rows), ASKED, asked]
        )
        + "\n"
    )


def _by_case(kind: Kind, known: Mapping[str, Case], results: Mapping[str, Measured]) -> dict[str, bool]:
    """Whether the cause of each case of the kind was named first."""
    return {name: known[name].is_right(results[name].said) for name in kind.cases if name in results}


def _link(report: Report) -> str:
    return f"[{report.thread}]({report.address}): {report.cause}"


def _said(tried: Mapping[str, bool], results: Mapping[str, Measured]) -> str:
    """By case the probe that spoke first, or that loading was refused; what is not right is marked."""
    if not tried:
        return "not tried"
    return "<br>".join(
        f"`{name}`: {'' if right else '**not named**, '}{_first(results[name])}" for name, right in tried.items()
    )


def _first(result: Measured) -> str:
    if result.said.error:
        return "refused to load"
    first = next(iter(result.said.findings), None)
    return "no finding" if first is None else f"`{first.probe}` ({first.severity})"


HEAD = """# Kinds of failure

{phrases} phrases were asked of stored public issues (one of web pages), such as "fine-tuned model does not stop
generating". What follows are the {reports} reports of language models whose stored excerpt told a cause, by kind:
{kinds} kinds. No thread was read to its end, so a cause is what a reporter or a maintainer said it was. The phrases
were chosen to find many kinds, so the counts tell which kinds are common, and not how common they are.
`gallery/failure_kinds.json` has every report with its cause. `python benchmarks/failure_kinds.py` makes this page.

A kind is tried by the cases of [the gallery](gallery.md) that have it: small models with the fault, nothing declared.
In {named} kinds ({named_reports} reports) the first finding names the cause of every case; most of these probes were
corrected on the very case, so this tells which kinds are covered, and no error rate. That is in
[the fair draws](gallery.md#the-fair-draws-first-diagnoses). {untried} kinds ({untried_reports} reports) were not tried:
evalharness sees one checkpoint, its data and its log, and neither the state of an optimizer nor the scores of another
tool."""

ASKED = """## The phrases"""


if __name__ == "__main__":
    main()
