"""The cases of the gallery: what ``gallery/CASE/case.toml`` says of each, and whether a diagnosis names its cause."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

GALLERY = Path(__file__).resolve().parent.parent / "gallery"
Half = Literal["development", "held-back"]
HALVES: tuple[Half, ...] = ("development", "held-back")
KEYS = {"report", "cause", "half", "right", "sound"}
KEYS_OF_RIGHT = {"probe", "evidence", "has", "refused_over"}


@dataclass(frozen=True, slots=True)
class Named:
    """One finding, as ``evalharness diagnose --json`` gives it."""

    probe: str
    severity: str
    claim: str
    evidence: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Said:
    """What a diagnosis said: its findings, the first one first, or the error by which it refused the checkpoint."""

    exit_code: int
    findings: tuple[Named, ...] = ()
    error: str = ""
    failed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Right:
    """One way to name the cause rightly: a first finding, or a refusal to load.

    The finding is of ``probe``; its evidence has the values of ``evidence`` and the keys ``has``. A refusal has to name
    each of ``refused_over``, such as the tensors that don't fit.
    """

    probe: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    has: tuple[str, ...] = ()
    refused_over: tuple[str, ...] = ()

    def is_said(self, said: Said) -> bool:
        """Whether the diagnosis says this first."""
        if self.refused_over:
            named = {word.strip(":;,.()") for word in said.error.split()}
            return said.exit_code == 2 and named.issuperset(self.refused_over)
        first = next(iter(said.findings), None)
        return (
            first is not None
            and first.probe == self.probe
            and holds(first.evidence, self.evidence)
            and all(first.evidence.get(key) is not None for key in self.has)
        )


@dataclass(frozen=True, slots=True)
class Case:
    """One public report, made again small. Without ``right`` it is a sound control."""

    name: str
    report: str
    cause: str
    half: Half
    right: tuple[Right, ...]

    @property
    def folder(self) -> Path:
        """Its programs."""
        return GALLERY / self.name

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong with it."""
        return not self.right

    def is_right(self, said: Said) -> bool:
        """Whether the cause is named first, or a sound model is blamed for nothing: no finding above a note."""
        if self.is_sound:
            return said.exit_code == 0 and all(finding.severity == "note" for finding in said.findings)
        return any(way.is_said(said) for way in self.right)


def holds(evidence: Mapping[str, Any], expected: Mapping[str, Any]) -> bool:
    """Whether the evidence has all the values that are expected, tables within it too.

    >>> holds({"kind": "rope", "rows": 8}, {"kind": "rope"})
    True
    """
    return all(
        holds(found, value) if isinstance(value, dict) and isinstance(found, dict) else found == value
        for key, value in expected.items()
        for found in [evidence.get(key)]
    )


def cases(names: Sequence[str] = (), half: str | None = None, gallery: Path = GALLERY) -> list[Case]:
    """The cases by name, those of one half only if it is given. Ends the program with a line for each fault."""
    folders = {file.parent.name: file.parent for file in sorted(gallery.glob("*/make.py"))}
    unknown = [name for name in names if name not in folders]
    if unknown:
        raise SystemExit(f"no case {', '.join(unknown)}; expected one of {', '.join(folders)}")
    every = [read_case(folders[name]) for name in names or folders]
    return [case for case in every if half in {None, case.half}]


def read_case(folder: Path) -> Case:
    """Parse ``case.toml``. Ends the program with one line for a file that is not as ``gallery/README.md`` says."""
    path = folder / "case.toml"
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SystemExit(f"{path}: {error}") from error
    if faults := list(_faults(content)):
        raise SystemExit(f"{path}: {'; '.join(faults)}")
    ways = tuple(
        Right(
            way.get("probe", ""),
            way.get("evidence", {}),
            tuple(way.get("has", ())),
            tuple(way.get("refused_over", ())),
        )
        for way in content.get("right", ())
    )
    return Case(folder.name, content["report"], content["cause"], content["half"], ways)


def _faults(content: Mapping[str, Any]) -> Iterator[str]:
    if unknown := sorted(set(content) - KEYS):
        yield f"unknown keys {unknown}, expected {sorted(KEYS)}"
    if not str(content.get("report", "")).startswith("https://"):
        yield f"report is {content.get('report')!r}, expected an address"
    if not str(content.get("cause", "")).endswith("."):
        yield f"cause is {content.get('cause')!r}, expected one sentence"
    if content.get("half") not in HALVES:
        yield f"half is {content.get('half')!r}, expected one of {HALVES}"
    if bool(content.get("right")) == (content.get("sound") is True):
        yield "expected either [[right]] or sound = true"
    for way in content.get("right", ()):
        if not way.keys() <= KEYS_OF_RIGHT or ("probe" in way) == ("refused_over" in way):
            yield f"[[right]] is {way}, expected probe with evidence and has, or refused_over alone"


def digest(files: Iterable[Path]) -> str:
    """What tells whether any of the files changed."""
    found = hashlib.sha256()
    for file in sorted(files):
        found.update(f"{file.name}\0".encode() + file.read_bytes())
    return found.hexdigest()[:16]
