"""What a server can really do, asked before anything of it is trusted.

A field that a server does not know it mostly ignores without a word: llama.cpp's takes ``echo`` and gives none. So each
ability is tried once, and what comes back is checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalharness.errors import CheckpointError
from evalharness.models.endpoint.engine import Refused
from evalharness.models.endpoint.wire import (
    NEUTRAL,
    Answer,
    IdsBy,
    Payload,
    PromptBy,
    drawn,
    prompt_fields,
    read_answer,
    read_prompt_logprobs,
    with_ids,
)
from evalharness.models.requests import GREEDY, Decoding

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evalharness.models.endpoint.engine import Engine
    from evalharness.models.protocols import Capability, Tokenizer

TEXT = "def is_even(number):\n    return number % 2 == 0\n\n\ndef is_odd(number):\n"
TOKENS = 12
"""Few tokens tell what a server does; a sampled dozen at temperature 1 is hardly the same twice by chance."""
NAMES = {"llamacpp": "llama.cpp", "vllm": "vLLM", "sglang": "SGLang"}


@dataclass(frozen=True, slots=True)
class Handshake:
    """What was found of one model of a server.

    ``bends`` is whether it takes the fields that switch its own cuts and penalties off. ``version``, ``parameters`` and
    ``dtype`` are None where it does not tell. ``notes`` say what it can't do, and what it does unasked.
    """

    model: str
    engine: str
    version: str | None
    context_length: int | None
    parameters: int | None
    capabilities: frozenset[Capability]
    bends: bool
    dtype: str | None
    ids_by: IdsBy | None
    prompt_by: PromptBy | None
    characters_per_token: float | None
    notes: tuple[str, ...]


def shake_hands(server: Engine, model: str | None, tokenizer: Tokenizer | None, begin_ids: Sequence[int]) -> Handshake:
    """Find out what ``model`` of ``server`` can do, in a dozen small requests.

    Without a name the only model of the server is taken. With a ``tokenizer`` its ids are compared with the server's.
    Raises CheckpointError where the server lacks the model, or its tokens are not the tokenizer's.
    """
    listed = _listed(server, model)
    return _Conversation(server, listed["id"], tokenizer, tuple(begin_ids)).concluded(listed)


def model_named(server: Engine, model: str | None) -> str:
    """The name of a model of the server: ``model``, or that of its only one. Raises CheckpointError if it has none."""
    return str(_listed(server, model)["id"])


def _listed(server: Engine, model: str | None) -> Payload:
    listed = list({entry["id"]: entry for entry in server.models()}.values())  # some servers list one twice
    names = [entry["id"] for entry in listed]
    if model is None:
        if len(listed) == 1:
            return listed[0]
        if not listed:
            raise CheckpointError(f"{server.address} has no models: start it with one")
        raise CheckpointError(f"{server.address} has {len(names)} models: choose one with --model: {', '.join(names)}")
    named = next((e for e in listed if model == e["id"] or model in (e.get("aliases") or ())), None)
    if named is None:
        raise CheckpointError(f"{server.address} has no model {model!r}: it has {', '.join(names) or 'none'}")
    return {**named, "id": model}


class _Conversation:
    """The requests of one handshake, and what their answers show."""

    def __init__(self, server: Engine, model: str, tokenizer: Tokenizer | None, begin_ids: tuple[int, ...]) -> None:
        self._server, self._model, self._tokenizer = server, model, tokenizer
        self._ids = None if tokenizer is None else [*begin_ids, *tokenizer.encode(TEXT)]
        self._bends = True
        self._notes: list[str] = []

    def concluded(self, listed: Payload) -> Handshake:
        plain = self._plain()
        takes_ids = self._takes_ids(plain)
        ids_by = self._ids_by(plain)
        prompt_by = self._prompt_by()
        offered: Mapping[Capability, bool] = {
            "ids_in": takes_ids,
            "ids_out": ids_by is not None,
            "prompt_logprobs": prompt_by is not None and takes_ids,
            "seed": self._keeps_seeds(),
        }
        meta = listed.get("meta") or {}
        owner = str(listed.get("owned_by") or "")
        return Handshake(
            model=self._model,
            engine=NAMES.get(owner, owner or "an unnamed server"),
            version=self._server.version(),
            context_length=listed.get("max_model_len") or meta.get("n_ctx"),
            parameters=meta.get("n_params"),
            capabilities=frozenset(name for name, has in offered.items() if has),
            bends=self._bends,
            dtype=listed.get("dtype"),
            ids_by=ids_by,
            prompt_by=prompt_by if takes_ids else None,
            characters_per_token=len(TEXT) / plain.prompt_tokens if plain.prompt_tokens else None,
            notes=tuple(self._notes),
        )

    def _plain(self) -> Answer:
        """A greedy completion of the text; the fields that are not the protocol's are left off if they are refused."""
        answer = self._ask({"prompt": TEXT})
        if isinstance(answer, Refused):
            self._bends = False
            self._notes.append(
                f"the server takes no {', '.join(NEUTRAL)} ({answer.message}): its own defaults for them apply"
            )
            answer = self._ask({"prompt": TEXT})
        if isinstance(answer, Refused):
            raise CheckpointError(f"{self._server.address}: {self._model} completes no text: {answer.message}")
        return read_answer(answer, None)

    def _takes_ids(self, plain: Answer) -> bool:
        """Whether ids are taken as they are: as many are counted, and the greedy completion is that of the text."""
        if self._ids is None:
            self._notes.append("without --tokenizer the server tokenizes every prompt itself")
            return False
        answer = self._ask({"prompt": self._ids})
        if isinstance(answer, Refused):
            self._notes.append(f"the server takes text only, no ids ({answer.message})")
            return False
        by_ids = read_answer(answer, None)
        if by_ids.prompt_tokens not in {None, len(self._ids)}:
            self._notes.append(f"of {len(self._ids)} ids the server counts {by_ids.prompt_tokens}: prompts go as text")
            return False
        if plain.prompt_tokens == len(self._ids) and by_ids.text != plain.text:
            raise CheckpointError(
                f"{self._server.address}: the ids of the tokenizer mean other text to the server: after the same text "
                f"it writes {plain.text!r}, after its ids {by_ids.text!r}; name the tokenizer of {self._model} with "
                "--tokenizer"
            )
        if plain.prompt_tokens not in {None, len(self._ids)}:
            self._notes.append(
                f"of a text as {len(self._ids)} ids the server makes {plain.prompt_tokens} itself: prompts go as ids"
            )
        return True

    def _ids_by(self, plain: Answer) -> IdsBy | None:
        """How ids come back, checked against their text where there is a tokenizer."""
        for way in ("token_ids", "content"):
            answer = self._ask({"prompt": TEXT} | with_ids(way))
            seen = None if isinstance(answer, Refused) else read_answer(answer, way)
            if seen is None or not seen.ids:
                continue
            is_whole = seen.completion_tokens == len(seen.ids)
            if is_whole and self._tokenizer is not None and not self._tokenizer.decode(seen.ids).startswith(seen.text):
                raise CheckpointError(
                    f"{self._server.address}: ids of the server mean other text to the tokenizer: {seen.text!r} is "
                    f"{self._tokenizer.decode(seen.ids)!r}; name the tokenizer of {self._model} with --tokenizer"
                )
            if seen.text != plain.text:
                self._notes.append("greedy completions of the same text differ from one request to the next")
            return way
        self._notes.append("the server gives no ids of what it writes: loops are found in the text alone")
        return None

    def _prompt_by(self) -> PromptBy | None:
        ids = self._ids
        prompt: str | list[int] = TEXT if ids is None else ids
        for way in ("echo", "prompt_logprobs"):
            answer = self._ask({"prompt": prompt} | prompt_fields(way))
            if not isinstance(answer, Refused) and read_prompt_logprobs(answer, ids, way):
                return way
        self._notes.append("the server ignores echo and prompt_logprobs: no loss can be computed from it")
        return None

    def _keeps_seeds(self) -> bool:
        """Whether one seed gives one completion, and others give others."""
        texts = []
        for seed in (1, 1, 2, 3):
            answer = self._ask({"prompt": TEXT, "max_tokens": 2 * TOKENS} | self._drawn(Decoding("sampled"), seed))
            texts.append(None if isinstance(answer, Refused) else read_answer(answer, None).text)
        if texts[0] != texts[1]:
            self._notes.append("the server does not keep to a seed: sampled completions differ from run to run")
            return False
        if texts[0] is None or len(set(texts)) == 1:
            self._notes.append("the server gives the same completion under every seed: samples are not independent")
            return False
        return True

    def _ask(self, fields: Payload) -> Payload | Refused:
        usual = {"model": self._model, "max_tokens": TOKENS} | self._drawn(GREEDY, 1)
        return self._server.completion(usual | fields)

    def _drawn(self, decoding: Decoding, seed: int) -> Payload:
        return drawn(decoding, seed, bends=self._bends)
