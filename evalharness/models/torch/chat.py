"""Whether a model is asked in its chat format, and what its prompts look like then.

A tokenizer may carry a chat template that its model never learned: base models are often published so. The model was
tuned on it if the token that ends a turn of the chat also ends the model's texts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from evalharness.errors import CheckpointError
from evalharness.models.torch.error_text import first_line

if TYPE_CHECKING:
    from evalharness.models.torch.tokenizer_lookup import SpecialTokens
    from evalharness.models.torch.tokenizers import KnownTokenizer

Chat = Literal["auto", "always", "never"]

PLAIN = "{prompt}"
QUESTION = "Write the whole function in one Python code block:\n\n```python\n{prompt}\n```"
"""What the user says. The code of the answer is taken out of its fence."""
_ANSWER = "Evalharness-looks-for-the-end-of-this-answer"


@dataclass(frozen=True, slots=True)
class Asking:
    """The template around each prompt, the special tokens that go with it, and notes on the choice.

    ``other`` is the way that was not chosen; None where there was no choice.
    """

    template: str
    special: SpecialTokens
    notes: tuple[str, ...] = ()
    other: Asking | None = None


@dataclass(frozen=True, slots=True)
class ChatFormat:
    """A tokenizer's chat: the template of a question, the id that ends an answer (if one does), and its text."""

    template: str
    end_id: int | None
    end_text: str


def chat_format(tokenizer: KnownTokenizer) -> ChatFormat | None:
    """The chat of a tokenizer that has a template; None without one.

    Raises CheckpointError where the template can't render a question.
    """
    render = tokenizer.render_chat
    if render is None:
        return None
    turns = [{"role": "user", "content": QUESTION}]
    try:
        asked = render(turns, True)
        answered = render([*turns, {"role": "assistant", "content": _ANSWER}], False)
    except Exception as error:  # a chat template is a program of its author's
        raise CheckpointError(f"the chat template renders no question: {first_line(error)}; --chat never") from error
    if asked.count(PLAIN) != 1:
        raise CheckpointError("the chat template does not give a question back as it was; --chat never")
    end = answered.partition(_ANSWER)[2]
    try:
        first = tokenizer.encode(end)[0] if end.strip() else None
    except (ValueError, IndexError):
        first = None
    return ChatFormat(asked, first, "" if first is None else tokenizer.decode([first]))


def asking(template: str, tokenizer: KnownTokenizer, special: SpecialTokens, chat: Chat) -> Asking:
    """How the model is asked: by the manifest's ``template`` if that is not plain, in its chat if it was tuned on one.

    Wherever the tokenizer has a chat, and the manifest no template of its own, there is another way beside the one in
    use. Raises CheckpointError for ``always`` if the tokenizer has no chat template.
    """
    plain = Asking(template, special)
    if chat != "always" and template != PLAIN:
        return plain
    try:
        form = chat_format(tokenizer)
    except CheckpointError as error:
        if chat == "always":
            raise
        return plain if chat == "never" else replace(plain, notes=(f"asked without a chat: {error}",))
    if form is None:
        if chat == "always":
            raise CheckpointError("chat = 'always': the tokenizer has no chat template")
        return plain
    in_chat = _in_chat(form, tokenizer, special)
    if chat == "never":
        return replace(plain, other=in_chat)
    if chat == "auto" and form.end_id not in special.end:
        return replace(plain, notes=(_not_used(form),), other=in_chat)
    return replace(in_chat, other=plain if template == PLAIN else None)


def _in_chat(form: ChatFormat, tokenizer: KnownTokenizer, special: SpecialTokens) -> Asking:
    # The template writes the begin token itself, if it has one.
    begin = () if special.begin and form.template.startswith(tokenizer.decode(special.begin)) else special.begin
    end = special.end if form.end_id is None else special.end | {form.end_id}
    return Asking(form.template, replace(special, begin=begin, end=end), (_USED,))


_USED = "asked in the tokenizer's chat template; code is taken from the answer's fence; --chat never asks plainly"


def _not_used(form: ChatFormat) -> str:
    return (
        f"asked without the tokenizer's chat template: {form.end_text!r}, which ends its turns, ends no text of this "
        "model; --chat always uses it"
    )
