"""Portions of work, handed to members that may be lost: what a lost one had not done is done again by another."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST_LOSSES = 2
"""A portion whose members are lost so often in a row, with nothing done in between, is given up."""


class Lost(Exception):  # noqa: N818 - it is dealt with, and mostly no error in the end
    """A member has ended, or could not be started; the message says how."""


@dataclass(frozen=True, slots=True)
class Abandoned:
    """Stands for the result of what was given up, and says why."""

    reason: str


class Worker(Protocol):
    """What a member does in its own process."""

    def work(self, items: Mapping[Any, Any]) -> Iterator[Mapping[Any, Any]]:
        """Yield results by the keys of their items, as they are ready."""
        ...


class Member(Protocol):
    """A process elsewhere that does one portion at a time."""

    def give(self, items: Mapping[Any, Any]) -> None:
        """Hand over a portion. Raises Lost."""
        ...

    def collect(self) -> Mapping[Any, Any]:
        """The results that have arrived since, perhaps none. Raises Lost, or what the work itself raised."""
        ...

    def leave(self) -> None:
        """Ask it to tidy up, without waiting."""
        ...

    def end(self) -> None:
        """End the process, whatever it does."""
        ...


class Host(Protocol):
    """Where members run."""

    def start(self, number: int) -> Member:
        """Start a member for a seat. Raises Lost if there is no room for it."""
        ...

    def wait(self, members: Collection[Member]) -> Collection[Member]:
        """Those that have something to collect, after a short while perhaps none."""
        ...


@dataclass(slots=True)
class _Portion(Generic[Item]):
    left: dict[Hashable, Item]
    losses: int = 0


@dataclass(slots=True)
class _Seat(Generic[Item]):
    number: int
    member: Member | None = None
    portion: _Portion[Item] | None = None

    def vacate(self) -> None:
        """End the member."""
        if self.member is not None:
            self.member.end()
        self.member = None


@dataclass(slots=True)
class Fleet(Generic[Item, Result]):
    """``size`` members of a host, started when there is work for them. Use it in a ``with`` block."""

    host: Host
    size: int
    _seats: list[_Seat[Item]] = field(default_factory=list)
    _again: deque[_Portion[Item]] = field(default_factory=deque)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for seat in self._seats:
            if seat.member is not None:
                seat.member.leave()
        for seat in self._seats:
            seat.vacate()
        self._seats, self._again = [], deque()

    def run(self, portions: Iterable[Mapping[Any, Item]]) -> Iterator[tuple[Any, Result | Abandoned]]:
        """Yield the key of each item with its result, in no particular order. Portions are taken as members get free.

        A portion is done again if its member is lost, and abandoned if that happens twice without a result, or if no
        member can be started any more.
        """
        source = (_Portion(dict(items)) for items in portions)
        self._seats = self._seats or [_Seat(number) for number in range(self.size)]
        while True:
            yield from self._hand_out(source)
            at_work = {id(seat.member): seat for seat in self._seats if seat.portion and seat.member}
            if not at_work and not self._again:
                return
            ready = self.host.wait([seat.member for seat in at_work.values() if seat.member]) if at_work else ()
            for member in ready:
                # The next portion goes out before these results are looked at: a member waits for nobody.
                yield from [*self._collect(at_work[id(member)]), *self._hand_out(source)]

    def _hand_out(self, source: Iterator[_Portion[Item]]) -> Iterator[tuple[Any, Abandoned]]:
        """Give a portion to each seat that has none, as long as there are some."""
        for seat in tuple(self._seats):
            while seat in self._seats and seat.portion is None:
                seat.portion = self._again.popleft() if self._again else next(source, None)
                if seat.portion is None:
                    break
                yield from self._begin(seat)

    def _begin(self, seat: _Seat[Item]) -> Iterator[tuple[Any, Abandoned]]:
        """Hand a seat's portion over to its member, which is started if there is none."""
        if seat.portion is None:
            return
        try:
            seat.member = seat.member or self.host.start(seat.number)
        except Lost as lost:
            yield from self._close(seat, lost)
            return
        try:
            seat.member.give(seat.portion.left)
        except Lost as lost:
            yield from self._lose(seat, lost)

    def _collect(self, seat: _Seat[Item]) -> Iterator[tuple[Any, Any]]:
        if seat.portion is None or seat.member is None:
            return
        try:
            results = seat.member.collect()
        except Lost as lost:
            yield from self._lose(seat, lost)
            return
        portion = seat.portion
        for key, result in results.items():
            del portion.left[key]
            portion.losses = 0
            yield key, result
        if not portion.left:
            seat.portion = None

    def _lose(self, seat: _Seat[Item], lost: Lost) -> Iterator[tuple[Any, Abandoned]]:
        """What a lost member had not done is for another; given up where one after the other was lost over it."""
        seat.vacate()
        portion, seat.portion = seat.portion, None
        if portion is None:
            return
        portion.losses += 1
        if portion.losses < MOST_LOSSES:
            self._again.append(portion)
        else:
            yield from ((key, Abandoned(str(lost))) for key in portion.left)

    def _close(self, seat: _Seat[Item], lost: Lost) -> Iterator[tuple[Any, Abandoned]]:
        """No member can be started for a seat: the others go on without it; the last one keeps its place."""
        portion, seat.portion = seat.portion, None
        if portion is None:
            return
        if len(self._seats) > 1:
            self._seats.remove(seat)
            self._again.append(portion)
        else:
            yield from ((key, Abandoned(str(lost))) for key in portion.left)
