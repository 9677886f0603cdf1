"""Conversations as rows: what the assistant says is the completion, what was said before it the prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalharness.diagnosis.data.shared_ends import shared_prefix

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Turn = dict[str, str]
    """``role`` and ``content``."""
    Render = Callable[[Sequence[Turn], bool], str]
    """A chat template: turns in, and whether an answer is to follow; the text out."""

ROLES = {"human": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant", "chatgpt": "assistant"}
"""What ShareGPT's and other files call the roles that chat templates know as user and assistant."""
_ROLE_KEYS, _CONTENT_KEYS = ("role", "from"), ("content", "value")


def turns_of(value: Any) -> list[Turn] | None:
    """Return the turns of ``messages`` or of ShareGPT's ``conversations``; None where ``value`` is neither."""
    if not isinstance(value, list) or not value:
        return None
    turns = [_turn(item) for item in value]
    return [turn for turn in turns if turn is not None] if all(turns) else None


def by_role_and_line(turns: Sequence[Turn], answer_follows: bool) -> str:
    """The rendering where no chat template is known: the role on a line, then what was said."""
    said = "".join(f"{turn['role']}:\n{turn['content']}\n" for turn in turns)
    return said + "assistant:\n" if answer_follows else said


def answers(turns: Sequence[Turn], render: Render) -> list[tuple[str, str]]:
    """Return prompt and completion for each turn of the assistant, with all that was said before it in the prompt.

    A template may write what was said before otherwise once the answer is there (leaving out earlier thoughts, say):
    the prompt ends where the two renderings part.
    """
    pairs = []
    for i, turn in enumerate(turns):
        if turn["role"] == "assistant":
            whole = render(turns[: i + 1], False)
            length = shared_prefix([render(turns[:i], True) if i else "", whole])
            pairs.append((whole[:length], whole[length:]))
    return pairs


def _turn(item: Any) -> Turn | None:
    if not isinstance(item, dict):
        return None
    role = next((item[key] for key in _ROLE_KEYS if isinstance(item.get(key), str)), None)
    content = next((_text(item[key]) for key in _CONTENT_KEYS if key in item), None)
    return None if role is None or content is None else {"role": ROLES.get(role, role), "content": content}


def _text(content: Any) -> str | None:
    """What was said; of parts of several kinds the text, and of a call of a tool nothing."""
    if isinstance(content, list):
        return "".join(part.get("text") or "" for part in content if isinstance(part, dict))
    return "" if content is None else content if isinstance(content, str) else None
