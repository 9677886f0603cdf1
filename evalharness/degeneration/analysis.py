"""What is wrong with one completion: the loop that it is in, if it is in one, and the measures beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalharness.degeneration.measures import Measures, measure
from evalharness.degeneration.significance import ExactLoops, Loop, best_loop, exact_loops, ran_to_limit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evalharness.degeneration.kinds import Kind
    from evalharness.records import StopReason


@dataclass(frozen=True, slots=True)
class Written:
    """One completion as it is analysed: what was written, and whatever else is known of it.

    ``token_ids`` are the ids that ``text`` was decoded from, ``token_entropy_nats`` one value for each of them.
    Without a ``stop_reason`` it is not known whether the model ended by itself. ``prompt`` is what ``text`` goes on
    from, and ``task_id`` says which completions are of one problem.
    """

    text: str
    token_ids: Sequence[int] | None = None
    token_entropy_nats: Sequence[float] | None = None
    stop_reason: StopReason | None = None
    prompt: str | None = None
    task_id: str | None = None


_NOT_GENERATED = frozenset({"prompt_too_long", "prompt_not_encodable", "context_full"})
_QUOTED_CHARACTERS = 40


@dataclass(frozen=True, slots=True)
class Degeneration:
    """Whether one completion is degenerate, the loop that makes it so (None without one), and the measures.

    ``evidence`` is one sentence. ``ran_to_limit`` says that the loop was still going on when generation ended; whether
    the model would have recovered is unknown. A completion without a word is degenerate, of kind ``empty``.
    """

    degenerate: bool
    kind: Kind | None
    evidence: str
    loop: Loop | None
    measures: Measures
    stop_reason: StopReason | None
    ran_to_limit: bool

    @property
    def period(self) -> int | None:
        """Length of one copy in ``loop.unit``."""
        return self.loop.period if self.loop else None

    @property
    def copies(self) -> int | None:
        """Whole copies."""
        return self.loop.copies if self.loop else None

    @property
    def onset(self) -> int | None:
        """Index of the loop's first element, in ``loop.unit``."""
        return self.loop.onset if self.loop else None

    @property
    def share(self) -> float | None:
        """Share of the completion that the loop covers, in ``loop.unit``."""
        return self.loop.share if self.loop else None


def analyse(
    text: str,
    token_ids: Sequence[int] | None = None,
    *,
    decode: Callable[[Sequence[int]], str] | None = None,
    token_entropy_nats: Sequence[float] | None = None,
    stop_reason: StopReason | None = None,
) -> Degeneration:
    """Measure one completion: ``text``, and the ``token_ids`` that it was decoded from where they are known.

    Loops are searched on the ids and on the characters: exact ones, ones with interruptions, and near ones; the one
    reported is the most exact of the longest that count (see :mod:`evalharness.degeneration.significance`).
    ``decode`` turns ids into text and places token loops in the text exactly; without it they are placed in proportion.
    ``token_entropy_nats`` has one value a token. Without a ``stop_reason`` the completion is taken to have been cut at
    its end. A completion that was never begun (its prompt did not fit) is not degenerate.
    """
    written = Written(text, token_ids, token_entropy_nats=token_entropy_nats, stop_reason=stop_reason)
    (found,) = analyse_all([written], decode)
    return found


def analyse_all(
    completions: Sequence[Written], decode: Callable[[Sequence[int]], str] | None = None
) -> tuple[Degeneration, ...]:
    """Measure the completions of one checkpoint, in their order; several times as fast as one by one."""
    exact = exact_loops([c.text for c in completions], [c.token_ids for c in completions])
    return tuple(_analyse(written, decode, loops) for written, loops in zip(completions, exact, strict=True))


def _analyse(written: Written, decode: Callable[[Sequence[int]], str] | None, exact: ExactLoops) -> Degeneration:
    text, stop_reason = written.text, written.stop_reason
    loop = best_loop(text, written.token_ids, decode, stop_reason, exact)
    kind = loop.kind if loop else "empty" if _says_nothing(text, stop_reason) else None
    return Degeneration(
        degenerate=kind is not None,
        kind=kind,
        evidence=_evidence(text, loop, kind),
        loop=loop,
        measures=measure(text, written.token_ids, written.token_entropy_nats),
        stop_reason=stop_reason,
        ran_to_limit=loop is not None and ran_to_limit(loop.ran_to_end, stop_reason),
    )


def _says_nothing(text: str, stop_reason: StopReason | None) -> bool:
    return not text.strip() and not (stop_reason in _NOT_GENERATED and not text)


def _evidence(text: str, loop: Loop | None, kind: Kind | None) -> str:
    if loop is not None:
        what = loop.kind if loop.kind == "newline" else f"{loop.kind} {_quoted(loop.text)}"
        end = "the end" if loop.ran_to_end else f"{loop.unit} {loop.onset + loop.length}"
        interrupted = " with interruptions" if loop.agreement < 1.0 and loop.kind != "near" else ""
        return f"{what} repeated {loop.copies} times{interrupted} from {loop.unit} {loop.onset} to {end}"
    if not text:
        return "nothing was written"
    return "no loop" if kind is None else "nothing but whitespace was written"


def _quoted(text: str) -> str:
    shortened = text if len(text) <= _QUOTED_CHARACTERS else f"{text[: _QUOTED_CHARACTERS - 1]}…"
    return repr(shortened)
