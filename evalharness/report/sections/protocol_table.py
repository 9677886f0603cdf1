"""The table of the settings under which a checkpoint was scored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.report.numbers import number
from evalharness.report.parts import Code, Heading, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.records import CheckpointInfo, IsolationInfo, Programs, Protocol, Scorecard
    from evalharness.report.parts import Part, Text


def protocol_section(card: Scorecard) -> Iterator[Part]:
    """Yield the table of everything that was fixed, and what was run under it."""
    yield Heading("Protocol")
    yield Table(("Setting", "Value"), tuple(_rows(card.protocol, card.checkpoint, card.programs)))


def _rows(settings: Protocol, checkpoint: CheckpointInfo, programs: Programs) -> Iterator[tuple[Text, Text]]:
    for info in settings.problems:
        release = "" if info.release is None else f"{info.release.name} ({info.release.licence}), "
        yield f"Problems: {info.name}", (f"{info.problems:,}, {release}digest ", Code(info.digest))
    yield "Completions per problem", f"1 greedy, {settings.samples} sampled"
    yield "Temperature", "not recorded" if settings.temperature is None else f"{settings.temperature:g}"
    yield "Top-p, top-k", f"{settings.top_p:g}, {settings.top_k or 'all tokens'}"
    yield "Seed", str(settings.seed)
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


def _yes(flag: bool) -> str:
    return "yes" if flag else "no"
