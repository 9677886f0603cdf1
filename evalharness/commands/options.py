"""The options that several commands share, and the kinds of value that they have."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable


class Numbers(click.ParamType[tuple[int, ...]]):
    """Whole numbers separated by commas."""

    name = "N,N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """Parse ``1,4``."""
        if isinstance(value, tuple):
            return value
        try:
            numbers = tuple(int(part) for part in str(value).split(","))
        except ValueError:
            numbers = ()
        if not numbers or min(numbers) < 1:
            self.fail(f"{value!r}: expected whole numbers from 1 on, such as 1,4", param, ctx)
        return numbers


class Names(click.ParamType[tuple[str, ...]]):
    """Names or paths separated by commas."""

    name = "NAME|PATH,…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Parse ``humaneval,warmup``."""
        if isinstance(value, tuple):
            return value
        return tuple(part.strip() for part in str(value).split(",") if part.strip())


OF_SCORE: dict[str, Callable[..., Any]] = {
    "problems": click.option(
        "--problems", type=Names(), help="humaneval, warmup, mbpp or paths of JSONL files.  [humaneval,warmup]"
    ),
    "samples": click.option(
        "--samples", type=int, help="Sampled completions for each problem, beside a greedy one.  [4]"
    ),
    "temperature": click.option("--temperature", type=float, help="Temperature of the sampled ones.  [0.8]"),
    "top_p": click.option("--top-p", type=float, help="Sample from the smallest set of tokens with this mass.  [1.0]"),
    "top_k": click.option("--top-k", type=int, help="Sample from so many most probable tokens; 0: all.  [0]"),
    "k": click.option("--k", type=Numbers(), help="The k of pass@k.  [1,4]"),
    "limit": click.option("--limit", type=int, help="Only the first so many problems of each set."),
    "max_new_tokens": click.option("--max-new-tokens", type=int, help="Longest completion.  [room for 800 characters]"),
    "batch_size": click.option(
        "--batch-size", type=int, help="Rows of a forward pass; never changes a completion.  [32]"
    ),
    "device": click.option("--device", help="cpu, cuda, cuda:1, mps.  [auto]"),
    "dtype": click.option("--dtype", help="float32, bfloat16, float16, float64 or auto.  [float32]"),
    "seed": click.option("--seed", type=int, help="Seed of the sampled completions and of the intervals.  [0]"),
    "workers": click.option("--workers", type=int, help="Programs run at a time.  [one for each core]"),
    "sandbox": click.option(
        "--sandbox",
        type=click.Choice(["auto", "A", "B", "C", "none"]),
        help="Isolation of programs: the best that holds here, one level alone, or none (your rights!).  [auto]",
    ),
    "packages": click.option(
        "--packages", type=Names(), metavar="NAME,…", help="Packages that programs may import, such as numpy.  [none]"
    ),
    "out": click.option("--out", type=click.Path(path_type=Path), help="Where reports go.  [reports]"),
    "stop_loops": click.option(
        "--stop-loops/--no-stop-loops", default=None, help="Stop a completion that is in a loop.  [stop]"
    ),
    "trust": click.option(
        "--trust", is_flag=True, default=None, help="Allow weights and manifests from elsewhere to run code."
    ),
}
"""The options of a score, by setting. Each is None unless it is given."""


def options_of_score(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command these options of a score, or all of them."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        for name in reversed(names or tuple(OF_SCORE)):
            command = OF_SCORE[name](command)
        return command

    return decorate
