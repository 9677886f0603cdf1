"""What goes over the wire: a request as the protocol's fields, and an answer read back, in each server's dialect.

OpenAI's protocol has text only. Servers add ids and log-probabilities of the prompt in their own ways; which of them a
server really has is asked in the handshake, for an unknown field is mostly ignored without a word.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.models.requests import Decoding
    from evalharness.records import StopReason

Payload = dict[str, Any]
IdsBy = Literal["token_ids", "content"]
"""``token_ids``: a field of the answer, if ``return_token_ids`` is asked for (vLLM, SGLang). ``content``: entries of
``logprobs.content`` (llama.cpp)."""
PromptBy = Literal["echo", "prompt_logprobs"]
"""``echo``: the protocol's own field. ``prompt_logprobs``: vLLM's."""

MOST_STOPS = 4
"""OpenAI's protocol takes no more stop sequences; the rest are looked for here."""
NEUTRAL: Payload = {
    "top_k": -1,
    "min_p": 0.0,
    "repetition_penalty": 1.0,
    "repeat_penalty": 1.0,
}
"""Fields that cut or bend the distribution, at values that do neither: left out, a server takes its own or the model's
defaults (llama.cpp: top_k 40, min_p 0.05; vLLM: the model's ``generation_config.json``)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One completion as it came. ``ids`` is None where the server gives none.

    llama.cpp leaves out ids of tokens that are a part of a character, and those of a stop sequence.
    """

    text: str
    ids: tuple[int, ...] | None
    finish_reason: str
    matched_stop: str | int | None
    prompt_tokens: int | None
    completion_tokens: int | None


def drawn(decoding: Decoding, seed: int, *, bends: bool) -> Payload:
    """How tokens are drawn, as fields. ``bends``: whether the server takes the fields of ``NEUTRAL``."""
    greedy = decoding.name == "greedy"
    fields: Payload = {
        "temperature": 0.0 if greedy else decoding.temperature,
        "top_p": 1.0 if greedy else decoding.top_p,
        "seed": seed,
    }
    return fields | (NEUTRAL | {"top_k": decoding.top_k or -1} if bends else {})


def seed_of(seed: int, task_id: str, completion_id: int) -> int:
    """A seed of its own for each completion: 31 bits, which every server takes."""
    digest = hashlib.sha256(f"{seed}\0{task_id}\0{completion_id}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def with_ids(ids_by: IdsBy | None) -> Payload:
    """The fields that ask for ids."""
    asked: dict[IdsBy, Payload] = {"token_ids": {"return_token_ids": True}, "content": {"logprobs": 1}}
    return {} if ids_by is None else asked[ids_by]


def read_answer(answer: Payload, ids_by: IdsBy | None) -> Answer:
    """Read an answer with one choice."""
    choice = answer["choices"][0]
    usage = answer.get("usage") or {}
    return Answer(
        text=choice.get("text") or "",
        ids=_ids(choice, ids_by),
        finish_reason=choice.get("finish_reason") or "",
        matched_stop=choice.get("stop_reason", choice.get("matched_stop")),
        prompt_tokens=usage.get("prompt_tokens"),
        completion_tokens=usage.get("completion_tokens"),
    )


def _ids(choice: Payload, ids_by: IdsBy | None) -> tuple[int, ...] | None:
    if ids_by == "token_ids":
        ids = choice.get("token_ids")
        return None if ids is None else tuple(ids)
    if ids_by == "content":
        content = (choice.get("logprobs") or {}).get("content")
        return None if content is None else tuple(item["id"] for item in content if "id" in item)
    return None


def prompt_fields(prompt_by: PromptBy) -> Payload:
    """The fields that ask for the log-probabilities of the prompt."""
    asked: dict[PromptBy, Payload] = {"echo": {"echo": True, "logprobs": 1}, "prompt_logprobs": {"prompt_logprobs": 0}}
    return {"max_tokens": 1, "temperature": 0.0} | asked[prompt_by]


def read_prompt_logprobs(answer: Payload, ids: Sequence[int] | None, prompt_by: PromptBy) -> list[float] | None:
    """The log-probabilities (nats) of all ids of a prompt but the first; None where the answer has none.

    ``ids`` are those of the prompt, needed for ``prompt_logprobs``, which are given by id.
    """
    choice = answer["choices"][0]
    if prompt_by == "echo":
        values = (choice.get("logprobs") or {}).get("token_logprobs")
        count = (answer.get("usage") or {}).get("prompt_tokens")
        if not values or count is None or len(values) < count or values[0] is not None:
            return None
        return [float(value) for value in values[1:count]]
    entries = choice.get("prompt_logprobs")
    if not entries or ids is None or len(entries) != len(ids):
        return None
    return [float(entry[str(i)]["logprob"]) for entry, i in zip(entries[1:], ids[1:], strict=True)]


def stop_reason(answer: Answer, stops: Sequence[str], end_ids: frozenset[int]) -> StopReason:
    """Why the server ended a completion.

    Where a server says only "stop", it is taken for a stop sequence if any was sent: the two can't be told apart.
    """
    if answer.finish_reason == "length":
        return "max_new_tokens"
    if isinstance(answer.matched_stop, str) and answer.matched_stop in stops:
        return "stop_sequence"
    if isinstance(answer.matched_stop, int) or (answer.ids and answer.ids[-1] in end_ids):
        return "end_token"
    return "stop_sequence" if stops else "end_token"
