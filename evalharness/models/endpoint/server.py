"""One server: its address, how it is called, and what its errors mean. The client library retries and waits."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import threading
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

from evalharness.errors import CheckpointError, EvaluationError
from evalharness.models.endpoint.engine import Refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from openai import APIStatusError, AsyncOpenAI

    from evalharness.models.endpoint.wire import Payload

RETRIES = 6
"""How often a request is sent again after a lost connection, a 429 or a fault of the server, waiting longer each time;
a server that says how long to wait is obeyed."""
TIMEOUT_S = 600.0
"""One request may wait this long: a busy server queues."""
LONGEST_QUOTE = 200
"""Characters of a server's own words that an error repeats."""
KEY_VARIABLE = "OPENAI_API_KEY"
NO_KEY = "none"
"""Sent where no key is set: a local server asks for none, and the client library insists on one."""


class OtherAnswerError(ValueError):
    """What came back is not what OpenAI's protocol has."""


_VERSIONS = {"/version": "version", "/props": "build_info"}


@dataclass(frozen=True, slots=True)
class Server:
    """An OpenAI-compatible server: ``base_url`` ends in ``/v1`` with most."""

    base_url: str

    @property
    def address(self) -> str:
        """Its URL."""
        return self.base_url

    @property
    def settings(self) -> dict[str, str]:
        """None: a server does not tell how it was started."""
        return {}

    def models(self) -> list[Payload]:
        """What the server lists. Raises CheckpointError, in one line, where none answers there."""

        async def ask(client: AsyncOpenAI) -> object:
            once = client.with_options(max_retries=1)  # a wrong address is told at once
            return await once.get("/models", cast_to=object)

        (answer,) = self._run([ask], at_once=1)
        if isinstance(answer, dict) and answer.get("data") == []:
            return []
        if not _has_dicts(answer, "data") or not all(isinstance(model.get("id"), str) for model in answer["data"]):
            raise CheckpointError(
                f"{self.base_url}: what answers there does not list its models as OpenAI's protocol does, but says "
                f"{_message(answer)!r}: correct --base-url, most addresses end in /v1"
            )
        return list(answer["data"])

    def version(self) -> str | None:
        """What the server says of its version, at the addresses that vLLM and llama.cpp have for it; mostly None."""

        async def ask(client: AsyncOpenAI) -> str | None:
            for address, key in _VERSIONS.items():
                try:
                    said = await client.with_options(max_retries=0).get(f"{self._root}{address}", cast_to=object)
                except library().OpenAIError:
                    continue
                if isinstance(said, dict) and isinstance(said.get(key), str):
                    return str(said[key])
            return None

        version: str | None
        (version,) = self._run([ask], at_once=1)
        return version

    @property
    def _root(self) -> str:
        return self.base_url.rstrip("/").removesuffix("/v1")

    def completions(self, payloads: Sequence[Payload], *, at_once: int) -> Iterator[tuple[int, Payload | Refused]]:
        """Send every payload, ``at_once`` at a time, and yield each one's index with its answer as it arrives.

        A payload that the server does not accept yields a :class:`Refused`. Raises EvaluationError if the server can't
        be reached any more; what was yielded before stands.
        """

        def job(index: int, payload: Payload) -> Any:
            async def ask(client: AsyncOpenAI) -> tuple[int, Payload | Refused]:
                return index, await _complete(client, payload)

            return ask

        yield from self._run([job(i, payload) for i, payload in enumerate(payloads)], at_once=at_once)

    def completion(self, payload: Payload) -> Payload | Refused:
        """Send one payload."""
        ((_, answer),) = self.completions([payload], at_once=1)
        return answer

    def _run(self, jobs: Sequence[Any], *, at_once: int) -> Iterator[Any]:
        """Run asynchronous jobs in a thread of their own, and yield their results as they come."""
        results: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        started: queue.SimpleQueue[tuple[asyncio.AbstractEventLoop, asyncio.Task[None]]] = queue.SimpleQueue()

        async def lanes() -> None:
            task = asyncio.current_task()
            assert task is not None  # noqa: S101 - it runs as one
            started.put((asyncio.get_running_loop(), task))
            waiting = iter(jobs)
            async with self._client() as client, asyncio.TaskGroup() as group:

                async def lane() -> None:
                    for job in waiting:
                        results.put(("result", await job(client)))

                for _ in range(min(at_once, len(jobs))):
                    group.create_task(lane())

        def run() -> None:
            try:
                asyncio.run(lanes())
                results.put(("end", None))
            except BaseException as error:  # noqa: BLE001 - it is raised again, where the results are read
                results.put(("error", error))

        thread = threading.Thread(target=run, name="requests", daemon=True)
        thread.start()
        loop, task = started.get()
        try:
            while (came := results.get())[0] == "result":
                yield came[1]
            if came[0] == "error":
                raise self._explained(came[1])
        finally:
            with contextlib.suppress(RuntimeError):  # the loop has ended already
                loop.call_soon_threadsafe(task.cancel)
            thread.join()

    @contextlib.asynccontextmanager
    async def _client(self) -> AsyncIterator[AsyncOpenAI]:
        openai = library()
        key = os.environ.get(KEY_VARIABLE) or NO_KEY
        async with openai.AsyncOpenAI(
            base_url=self.base_url, api_key=key, max_retries=RETRIES, timeout=TIMEOUT_S
        ) as client:
            yield client

    def _explained(self, error: BaseException) -> BaseException:
        """The error of a lane as one of this project's own, where the server or its address is at fault."""
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        openai = library()
        if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
            return CheckpointError(
                f"{self.base_url}: the server refuses the key: set {KEY_VARIABLE} to one that it knows"
            )
        if isinstance(error, openai.APITimeoutError):
            return EvaluationError(f"{self.base_url}: no answer within {TIMEOUT_S:.0f} s, {RETRIES + 1} times")
        if isinstance(error, openai.APIConnectionError):
            return EvaluationError(
                f"{self.base_url}: no server answers there ({_reason(error)}): start it, or correct --base-url; the "
                "same command goes on from here"
            )
        if isinstance(error, ValueError):  # no JSON, or JSON of something else
            return EvaluationError(
                f"{self.base_url}: what answers there is no completion of OpenAI's protocol ({_message(str(error))}): "
                "correct --base-url, or look into the server; the same command goes on from here"
            )
        return self._of_status(error) if isinstance(error, openai.APIStatusError) else error

    def _of_status(self, error: APIStatusError) -> CheckpointError | EvaluationError:
        if error.status_code == HTTPStatus.NOT_FOUND:
            return CheckpointError(
                f"{self.base_url}: the server has no {error.request.url.path}: most addresses end in /v1, and one that "
                "only chats can't be asked for completions"
            )
        return EvaluationError(f"{self.base_url}: the server answers {error.status_code}: {_message(error.body)}")


async def _complete(client: AsyncOpenAI, payload: Payload) -> Payload | Refused:
    openai = library()
    try:
        # As it is, not as the library's own types: a server's further fields go and come untouched.
        answer = await client.post("/completions", body=payload, cast_to=object)
    except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
        body = error.body if isinstance(error.body, dict) else {}
        return Refused(_message(error.body), str(body.get("code", "")), str(body.get("type", "")))
    if not _has_dicts(answer, "choices"):
        raise OtherAnswerError(_message(answer))
    return cast("Payload", answer)


def _has_dicts(answer: object, name: str) -> bool:
    """Whether an answer is an object with a list of objects under ``name``, and at least one."""
    items = answer.get(name) if isinstance(answer, dict) else None
    return isinstance(items, list) and bool(items) and all(isinstance(item, dict) for item in items)


def library() -> Any:
    """The ``openai`` package. Raises CheckpointError, with the way to install it, where it is missing."""
    try:
        import openai  # noqa: PLC0415 - takes a second, and is an extra
    except ImportError as error:
        raise CheckpointError("a server needs the package openai: pip install 'evalharness[openai]'") from error
    return openai


def _reason(error: BaseException) -> str:
    cause = error.__cause__ or error
    return str(cause).partition("\n")[0] or type(cause).__name__


def _message(body: object) -> str:
    said: object = body.get("message", body) if isinstance(body, dict) else body
    return " ".join(str(said).split())[:LONGEST_QUOTE]
