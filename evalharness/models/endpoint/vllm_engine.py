"""vLLM in this process. It answers as its server does, so that it is asked, checked and trusted in the same way."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evalharness.errors import CheckpointError, EvaluationError
from evalharness.models.endpoint.engine import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from evalharness.models.endpoint.wire import Payload

ENVIRONMENT = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # its own process would outlive a command that is killed, and keep the GPU
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",  # stdout is the command's own
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",  # this process has threads of torch, which a fork would lose
}
"""What vLLM reads in the environment, unless the user has set it."""
SAMPLING = (
    "max_tokens",
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "repetition_penalty",
    "seed",
    "stop",
    "prompt_logprobs",
)
"""The fields of a request that vLLM's sampling parameters have under the same names."""


@dataclass(frozen=True, slots=True)
class VllmEngine:
    """``engine`` is vLLM's own ``LLMEngine``, with the weights at ``weights``: a Hugging Face folder, or a name."""

    weights: str
    engine: Any
    settings: dict[str, str]
    numbers: Iterator[int] = dataclasses.field(default_factory=itertools.count)
    """No two requests have the same number, also if some were given up."""

    @property
    def address(self) -> str:
        """It is here."""
        return f"vLLM with {self.weights}"

    def models(self) -> list[Payload]:
        """Its one model."""
        config = self.engine.model_config
        dtype = str(config.dtype).removeprefix("torch.")
        return [{"id": self.weights, "owned_by": "vllm", "max_model_len": config.max_model_len, "dtype": dtype}]

    def version(self) -> str | None:
        """The version of the package."""
        return str(library().__version__)

    def completions(self, payloads: Sequence[Payload], *, at_once: int) -> Iterator[tuple[int, Payload | Refused]]:  # noqa: ARG002 - it batches as it has room (max_num_seqs)
        """Hand over every payload, and yield each one's index with its answer as it is finished.

        One that vLLM does not accept yields a :class:`Refused`. Raises EvaluationError if vLLM ends.
        """
        running: dict[str, int] = {}
        try:
            for index, payload in enumerate(payloads):
                number = str(next(self.numbers))
                refused = self._refusal(number, payload)
                if refused is None:
                    running[number] = index
                else:
                    yield index, refused
            while running:
                for output in self._finished():
                    yield running.pop(output.request_id), answer_of(output)
        finally:
            if running:
                self.engine.abort_request(list(running))

    def completion(self, payload: Payload) -> Payload | Refused:
        """Answer one payload."""
        ((_, answer),) = self.completions([payload], at_once=1)
        return answer

    def _refusal(self, number: str, payload: Payload) -> Refused | None:
        """Hand one request over; what is wrong with it, if it is not accepted."""
        from vllm.exceptions import VLLMClientError  # noqa: PLC0415 - it is an extra

        prompt = payload["prompt"]
        given = {"prompt": prompt} if isinstance(prompt, str) else {"prompt_token_ids": prompt}
        try:
            (rendered,) = self.engine.renderer.render_cmpl([given])
            self.engine.add_request(number, rendered, sampling(payload))
        except (ValueError, VLLMClientError) as error:
            return Refused(_first_line(error), "", type(error).__name__)
        return None

    def _finished(self) -> list[Any]:
        """The requests that the next step of the engine finishes."""
        try:
            return [output for output in self.engine.step() if output.finished]
        except Exception as error:
            raise EvaluationError(
                f"{self.address}: it ended ({_first_line(error)}); the same command goes on from here"
            ) from error


def open_engine(
    weights: Path, fingerprint: str | None, options: Sequence[str], *, dtype: str, trust: bool
) -> VllmEngine:
    """Start vLLM with the weights of a Hugging Face folder.

    ``options`` are vLLM's own, each as ``NAME=VALUE``. ``fingerprint`` tells the weights from others at the same path,
    None where that is known anyway. Raises CheckpointError, in one line, where vLLM is missing, has
    no such option, or can't run these weights.
    """
    vllm = library()
    chosen = dict(option.split("=", 1) for option in options)
    if unknown := chosen.keys() - {field.name for field in dataclasses.fields(vllm.EngineArgs)}:
        raise CheckpointError(
            f"--vllm-options: vLLM {vllm.__version__} has no option {', '.join(sorted(unknown))}: its documentation of "
            "EngineArgs lists them"
        )
    ours = {"model": str(weights), "dtype": dtype, "trust_remote_code": trust, "disable_log_stats": True}
    values = {name: _value(text) for name, text in chosen.items()}
    try:
        engine = vllm.LLMEngine.from_engine_args(vllm.EngineArgs(**ours | _for_seeds() | values))
    except Exception as error:
        raise CheckpointError(
            f"vLLM can't run {weights}: {_first_line(error)}; VLLM_LOGGING_LEVEL=INFO shows more, and --vllm-options "
            "sets its options"
        ) from error
    told = {} if fingerprint is None else {"weights": fingerprint}
    return VllmEngine(str(weights), engine, chosen | told)


def _for_seeds() -> dict[str, Any]:
    """On a CPU vLLM 0.32 ends at a seeded request whose prompt it reads in pieces, so it is to read prompts whole."""
    from vllm.platforms import current_platform  # noqa: PLC0415 - it is an extra

    return {"enable_chunked_prefill": False} if current_platform.is_cpu() else {}


def sampling(payload: Payload) -> Any:
    """The parameters of vLLM that a request in the server's protocol means."""
    from vllm.sampling_params import RequestOutputKind, SamplingParams  # noqa: PLC0415 - it is an extra

    said = {name: payload[name] for name in SAMPLING if name in payload}
    return SamplingParams(**said, output_kind=RequestOutputKind.FINAL_ONLY)


def answer_of(output: Any) -> Payload:
    """A finished request as vLLM's server would answer it."""
    (written,) = output.outputs
    ids = list(written.token_ids)
    return {
        "choices": [
            {
                "text": written.text,
                "token_ids": ids,
                "finish_reason": written.finish_reason,
                "stop_reason": written.stop_reason,
                "prompt_logprobs": _by_id(output.prompt_logprobs),
            }
        ],
        "usage": {"prompt_tokens": len(output.prompt_token_ids), "completion_tokens": len(ids)},
    }


def _by_id(entries: Sequence[Mapping[int, Any] | None] | None) -> list[dict[str, Payload] | None] | None:
    """Log-probabilities of the prompt's tokens, by id; the first has none."""
    if entries is None:
        return None
    return [
        None if entry is None else {str(i): {"logprob": found.logprob} for i, found in entry.items()}
        for entry in entries
    ]


def library() -> Any:
    """The ``vllm`` package. Raises CheckpointError, with the way to install it, where it is missing."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        import vllm  # noqa: PLC0415 - takes seconds, and is an extra
    except ImportError as error:
        raise CheckpointError(
            f"--backend vllm needs the package vllm ({error}): pip install 'evalharness[vllm]'"
        ) from error
    return vllm


def _value(text: str) -> Any:
    """A number, a flag or more where JSON reads one, else the text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
