"""A match of a regular expression as it arrives: what it found, without the pattern, which nobody is to run again."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Span = tuple[int, int]


class Match:
    """Answers what ``re.Match`` answers of its groups. It is true, as every match is."""

    def __init__(self, string: str | bytes, spans: tuple[Span, ...], names: dict[str, int], lastindex: Any) -> None:
        if not (type(string) in (str, bytes) and _are_spans(spans) and all(0 < n < len(spans) for n in names.values())):
            raise ValueError("no match")
        self.string = string
        self.regs = spans
        self.lastindex = lastindex
        self._names = names

    def group(self, *groups: int | str) -> Any:
        """The text of one group, the whole match by default, or a tuple of those of several."""
        texts = tuple(self[group] for group in groups or (0,))
        return texts if len(texts) > 1 else texts[0]

    def __getitem__(self, group: int | str) -> Any:
        start, end = self.span(group)
        return None if start < 0 else self.string[start:end]

    def groups(self, default: Any = None) -> tuple[Any, ...]:
        """The texts of all groups."""
        return tuple(default if self.span(n)[0] < 0 else self[n] for n in range(1, len(self.regs)))

    def groupdict(self, default: Any = None) -> dict[str, Any]:
        """The texts of the groups that have names."""
        return {name: default if self.span(n)[0] < 0 else self[n] for name, n in self._names.items()}

    def span(self, group: int | str = 0) -> Span:
        """Where a group begins and ends; (-1, -1) if it took no part. Raises IndexError: no such group."""
        number = self._names.get(group, -1) if isinstance(group, str) else group
        if not 0 <= number < len(self.regs):
            raise IndexError("no such group")
        return self.regs[number]

    def start(self, group: int | str = 0) -> int:
        """Where a group begins."""
        return self.span(group)[0]

    def end(self, group: int | str = 0) -> int:
        """Where a group ends."""
        return self.span(group)[1]


def _are_spans(spans: object) -> bool:
    if type(spans) is not tuple or not spans:
        return False
    return all(type(span) is tuple and [type(place) for place in span] == [int, int] for span in spans)
