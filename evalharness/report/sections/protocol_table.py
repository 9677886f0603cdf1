"""The table of the settings under which a checkpoint was scored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.records import DECODINGS
from evalharness.report.numbers import number
from evalharness.report.parts import Code, Heading, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.records import IsolationInfo, Scorecard
    from evalharness.report.parts import Part, Text


def protocol_section(card: Scorecard) -> Iterator[Part]:
    """Yield the table of everything that was fixed, and what was run under it."""
    yield Heading("Protocol")
    yield Table(("Setting", "Value"), tuple(_rows(card)))


def _rows(card: Scorecard) -> Iterator[tuple[Text, Text]]:
    settings, checkpoint, programs = card.protocol, card.checkpoint, card.programs
    counts = {"greedy": 1, "sampled": settings.samples}
    decodings = [decoding for decoding in DECODINGS if decoding in card.degeneration] or DECODINGS
    for info in settings.problems:
        release = "" if info.release is None else f"{info.release.name} ({info.release.licence}), "
        yield f"Problems: {info.name}", (f"{info.problems:,}, {release}digest ", Code(info.digest))
    yield "Completions per problem", ", ".join(f"{counts[decoding]} {decoding}" for decoding in decodings)
    yield "Temperature", _known(settings.temperature)
    yield "Top-p, top-k", f"{_known(settings.top_p)}, {'all tokens' if settings.top_k == 0 else _known(settings.top_k)}"
    yield "Seed", _known(settings.seed)
    yield "New tokens at most", number(settings.max_new_tokens)
    yield "Loops stopped early", _yes(settings.stop_loops)
    yield "Attention", settings.attention.replace("_", " ")
    yield "Rows without padding", _yes(settings.exact_lengths)
    yield "Device, dtype", (Code(settings.device), ", ", Code(settings.dtype))
    if checkpoint.quantisation is not None:
        yield "Quantisation of the weights", checkpoint.quantisation
    if checkpoint.commit is not None:
        yield "Commit on the hub", Code(checkpoint.commit)
    yield "Isolation of programs", str(settings.isolation) if settings.isolation else "no program was run"
    yield "What the isolation does not prevent", _lacks(settings.isolation)
    yield "Packages that programs may import", ", ".join(settings.packages) or "none"
    for name, value in settings.settings.items():
        yield name.replace("_", " ").capitalize(), _setting(value)
    yield "Programs run", f"{programs.completions:,} completions, {programs.distinct:,} different programs"
    yield "CPU time limit", f"{programs.cpu_limit_s:g} s per program, calibrated on this machine"
    for name, version in sorted(settings.versions.items()):
        yield f"Version of {name}", version


def _lacks(isolation: IsolationInfo | None) -> str:
    return "; ".join(isolation.lacks) if isolation and isolation.lacks else "nothing known"


def _setting(value: object) -> str:
    match value:
        case None:
            return "not set"
        case bool():
            return _yes(value)
        case list() | tuple():
            return ", ".join(map(str, value)) or "none"
        case _:
            return str(value)


def _known(value: float | None) -> str:
    return "not recorded" if value is None else f"{value:g}"


def _yes(flag: bool | None) -> str:
    return "not recorded" if flag is None else "yes" if flag else "no"
