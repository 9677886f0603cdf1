"""What a tokenizer and a configuration of transformers say of the ids in a trainer's batch."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evalharness.models.protocols import Tokenizer

    Render = Callable[[Sequence[dict[str, str]], bool], str]

_SYSTEM, _QUESTION, _ANSWER = "ssssssss", "qqqqqqqq", "aaaaaaaa"


@dataclass(frozen=True, slots=True)
class TrainerTokens:
    """Ids that are named so, and what a chat template writes before an answer and before a conversation.

    The openings are text without the white space around it; empty where there is no template, or it writes nothing.
    """

    padding: frozenset[int] = frozenset()
    end: frozenset[int] = frozenset()
    begin: frozenset[int] = frozenset()
    answer_opening: str = ""
    conversation_opening: str = ""


def trainer_tokens(tokenizer: Any, module: Any, render: Render | None = None) -> TrainerTokens:
    """Read them off, as far as ``tokenizer``, the configuration of ``module`` and its chat template name them."""
    owners = (tokenizer, getattr(module, "config", None), getattr(module, "generation_config", None))
    padding, end, begin = (_named(owners, f"{name}_token_id") for name in ("pad", "eos", "bos"))
    return TrainerTokens(
        padding,
        end,
        begin,
        answer_opening=_between(render, (("user", _QUESTION), ("assistant", _ANSWER)), _QUESTION, _ANSWER),
        conversation_opening=_between(render, (("system", _SYSTEM), ("user", _QUESTION)), "", _SYSTEM),
    )


def _named(owners: Sequence[Any], name: str) -> frozenset[int]:
    values = [getattr(owner, name, None) for owner in owners]
    flat = [v for value in values for v in (value if isinstance(value, (list, tuple)) else [value])]
    return frozenset(v for v in flat if isinstance(v, int) and not isinstance(v, bool))


def _between(render: Render | None, turns: Sequence[tuple[str, str]], after: str, before: str) -> str:
    """What a chat template writes between two texts; a template may refuse a role, or write none of it."""
    if render is None:
        return ""
    try:
        text = render([{"role": role, "content": content} for role, content in turns], False)
    except Exception:  # noqa: BLE001 - a chat template is a program of its author's
        return ""
    head, separator, _ = text.partition(before)
    return head[head.find(after) + len(after) :].strip() if separator and after in head else ""


def place_after(tokenizer: Tokenizer, ids: Sequence[int], text: str, times: int = 1) -> int | None:
    """The place of the first id after ``text`` has stood ``times`` times in the text of ``ids``; None if it has not."""
    if not text or tokenizer.decode(ids).count(text) < times:
        return None
    return bisect_left(range(len(ids)), x=True, key=lambda n: tokenizer.decode(ids[:n]).count(text) >= times)
