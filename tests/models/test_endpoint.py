"""A server that completes: what it can really do, what it writes, and how it fails. llama.cpp's own server answers."""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Iterator

import pytest
import torch
from llama_server import LlamaServer, llama_server
from small_gguf import write_gguf

from evalharness.errors import CheckpointError, EvaluationError
from evalharness.models.endpoint import EndpointGenerator, ServedModel, Server, agreement_with, model_named, shake_hands
from evalharness.models.endpoint.wire import read_answer, read_prompt_logprobs, seed_of, stop_reason
from evalharness.models.requests import GREEDY, Decoding, Request
from evalharness.models.torch import Checkpoint, load_checkpoint
from evalharness.settings.manifest import find_manifest

pytest.importorskip("openai")
pytest.importorskip("xllamacpp")
pytestmark = pytest.mark.xdist_group("llama.cpp")
SAMPLED = Decoding("sampled", 1.0)
PROMPT = "def f(x):\n"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Checkpoint:
    path = tmp_path_factory.mktemp("served") / "tiny.gguf"
    write_gguf(path, "F16", context=1024)
    return load_checkpoint(path, find_manifest(path))


@pytest.fixture(scope="module")
def running(checkpoint) -> LlamaServer:
    with llama_server(checkpoint.files[0]) as server:
        yield server


@pytest.fixture(scope="module")
def served(checkpoint, running) -> ServedModel:
    server = Server(running.base_url)
    return ServedModel(server, shake_hands(server, None, checkpoint.tokenizer, ()), at_once=4)


def request(checkpoint: Checkpoint, prompt: str, number: int = 0, decoding=GREEDY, stop=()) -> Request:
    return Request(f"test/{number}", 0, decoding, tuple(checkpoint.tokenizer.encode(prompt)), stop, prompt)


def generator(served: ServedModel, checkpoint: Checkpoint, **given) -> EndpointGenerator:
    settings = {"max_new_tokens": 24, "seed": 0, "tokenizer": checkpoint.tokenizer, "end_ids": checkpoint.end_token_ids}
    return EndpointGenerator(served, **settings | given)


def test_the_handshake_finds_what_this_server_can_do_and_that_it_ignores_echo(served):
    handshake = served.handshake
    assert handshake.engine == "llama.cpp"
    assert handshake.capabilities == {"ids_in", "ids_out", "seed"}
    assert handshake.prompt_by is None
    assert handshake.context_length == 1024
    assert handshake.parameters
    assert any("echo" in note for note in handshake.notes)


def test_without_a_tokenizer_prompts_go_as_text(running):
    handshake = shake_hands(Server(running.base_url), None, None, ())
    assert "ids_in" not in handshake.capabilities
    assert handshake.characters_per_token == pytest.approx(1, abs=0.5)


def test_the_greedy_completion_is_that_of_the_weights(served, checkpoint):
    (completion,) = generator(served, checkpoint).complete([request(checkpoint, PROMPT)])
    ids = list(checkpoint.tokenizer.encode(PROMPT))
    for _ in range(24):
        ids.append(int(checkpoint.model.logits(torch.tensor([ids]))[0, -1].argmax()))
    written = ids[-24:]
    assert completion.token_ids == tuple(written)
    assert completion.text == checkpoint.tokenizer.decode(written)
    assert completion.stop_reason == "max_new_tokens"
    assert completion.token_entropy_nats is None


def test_samples_keep_to_their_seed_and_do_not_depend_on_their_company(served, checkpoint):
    requests = [request(checkpoint, PROMPT, number, SAMPLED) for number in range(6)]
    together = {c.task_id: c.text for c in generator(served, checkpoint).complete(requests)}
    alone = {c.task_id: c.text for r in requests[:2] for c in generator(served, checkpoint).complete([r])}
    assert len(set(together.values())) == len(requests)
    assert alone.items() <= together.items()
    other = {c.task_id: c.text for c in generator(served, checkpoint, seed=1).complete(requests)}
    assert not set(other.values()) & set(together.values())


def test_every_stop_sequence_holds_also_those_that_are_not_sent(served, checkpoint):
    (whole,) = generator(served, checkpoint).complete([request(checkpoint, PROMPT)])
    stop = whole.text[5:7]
    for stops in ((stop,), ("\0a", "\0b", "\0c", "\0d", stop)):
        (cut,) = generator(served, checkpoint).complete([request(checkpoint, PROMPT, stop=stops)])
        assert cut.text == whole.text[: whole.text.index(stop)]
        assert cut.stop_reason == "stop_sequence"
        assert checkpoint.tokenizer.decode(cut.token_ids) == cut.text


def test_a_prompt_that_does_not_fit_is_refused_whoever_counts_its_tokens(served, checkpoint, running):
    long = request(checkpoint, "x" * 2000)
    (by_ids,) = generator(served, checkpoint).complete([long])
    server = Server(running.base_url)
    as_text = ServedModel(server, shake_hands(server, None, None, ()), at_once=1)
    (by_server,) = EndpointGenerator(as_text, 8, 0).complete([long])
    assert {by_ids.stop_reason, by_server.stop_reason} == {"prompt_too_long"}


def test_the_weights_here_are_told_from_others(served, checkpoint):
    same = agreement_with(served, checkpoint.model, checkpoint.tokenizer, ())
    assert same.is_close
    assert same.alike == same.tokens > 0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        weight = checkpoint.module.get_parameter("lm_head.weight")
        kept = weight.clone()
        weight.copy_(torch.randn_like(weight))
    try:
        assert not agreement_with(served, checkpoint.model, checkpoint.tokenizer, ()).is_close
    finally:
        weight.copy_(kept)


class Swapped:
    """A tokenizer of the same size that means other text by its ids."""

    def __init__(self, tokenizer):
        self.vocab_size, self._tokenizer = tokenizer.vocab_size, tokenizer

    def encode(self, text):
        return [(i + 7) % 200 for i in self._tokenizer.encode(text)]

    def decode(self, ids):
        return self._tokenizer.decode([(i - 7) % 200 for i in ids])


def test_a_tokenizer_that_is_not_the_models_is_found_out(running, checkpoint):
    with pytest.raises(CheckpointError) as caught:
        shake_hands(Server(running.base_url), None, Swapped(checkpoint.tokenizer), ())
    assert "--tokenizer" in str(caught.value)


def test_a_model_that_the_server_lacks_is_told_with_those_that_it_has(running):
    with pytest.raises(CheckpointError) as caught:
        shake_hands(Server(running.base_url), "no-such-model", None, ())
    assert "no-such-model" in str(caught.value)
    assert "tiny.gguf" in str(caught.value)


def test_a_model_that_is_listed_twice_is_one_model(running, monkeypatch):
    once = Server.models
    monkeypatch.setattr(Server, "models", lambda server: [*once(server), *once(server)])
    assert model_named(Server(running.base_url), None) == shake_hands(Server(running.base_url), None, None, ()).model


def test_wrong_addresses_are_one_line(running):
    for address, error in (("http://127.0.0.1:9/v1", EvaluationError), (running.base_url + "/v7", CheckpointError)):
        with pytest.raises(error) as caught:
            Server(address).models()
        assert address in str(caught.value)
        assert "\n" not in str(caught.value)


ONE_MODEL = b'{"object": "list", "data": [{"id": "m", "object": "model"}]}'


@pytest.mark.parametrize(
    ("models", "completion", "error"),
    [
        (b"<html>a page</html>", b"", CheckpointError),
        (b'{"data": [', b"", EvaluationError),
        (b"[]", b"", CheckpointError),
        (b'{"data": null}', b"", CheckpointError),
        (b'{"data": [{"object": "model"}]}', b"", CheckpointError),
        (b'{"data": []}', b"", CheckpointError),
        (ONE_MODEL, b"<html>a page</html>", EvaluationError),
        (ONE_MODEL, b'{"choices": []}', EvaluationError),
        (ONE_MODEL, b'{"choices": ["text"]}', EvaluationError),
    ],
)
def test_an_address_where_something_else_answers_is_one_line(models, completion, error):
    with answering({"/v1/models": models, "/v1/completions": completion}) as address, pytest.raises(error) as caught:
        shake_hands(Server(address), None, None, ())
    assert address in str(caught.value)
    assert "\n" not in str(caught.value)


@contextlib.contextmanager
def answering(bodies: dict[str, bytes]) -> Iterator[str]:
    """A web server that is no model's: it has these bodies at these paths, whatever it is asked."""

    class Pages(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            body = bodies.get(self.path, b"")
            self.send_response(200)
            self.send_header("content-type", "text/html" if body.startswith(b"<") else "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - the base class looks for this name

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1"
        finally:
            server.shutdown()
            thread.join()


def test_a_key_is_taken_from_the_environment(checkpoint, monkeypatch):
    with llama_server(checkpoint.files[0], key="secret") as guarded:
        monkeypatch.delenv("OPENAI_API_KEY", raising=False)
        with pytest.raises(CheckpointError) as caught:
            shake_hands(Server(guarded.base_url), None, None, ())
        assert "OPENAI_API_KEY" in str(caught.value)
        monkeypatch.setenv("OPENAI_API_KEY", "secret")
        assert shake_hands(Server(guarded.base_url), None, None, ()).engine == "llama.cpp"


def test_a_server_that_dies_leaves_what_it_gave(checkpoint, monkeypatch):
    monkeypatch.setattr("evalharness.models.endpoint.server.RETRIES", 0)
    with llama_server(checkpoint.files[0], slots=1) as dying:
        server = Server(dying.base_url)
        served = ServedModel(server, shake_hands(server, None, checkpoint.tokenizer, ()), at_once=1)
        requests = [request(checkpoint, PROMPT, number, SAMPLED) for number in range(50)]
        arriving = generator(served, checkpoint, max_new_tokens=200).complete(requests)
        first = next(arriving)
        dying.kill()
        with pytest.raises(EvaluationError) as caught:
            list(arriving)
    assert first.text
    assert dying.base_url in str(caught.value)


def test_vllms_dialect_of_ids_and_log_probabilities_is_read():
    answer = {
        "choices": [
            {
                "text": "b",
                "token_ids": [5],
                "finish_reason": "stop",
                "stop_reason": "\ndef",
                "prompt_logprobs": [None, {"3": {"logprob": -0.5}}, {"1": {"logprob": -0.1}, "4": {"logprob": -2.0}}],
            }
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1},
    }
    assert read_prompt_logprobs(answer, [2, 3, 4], "prompt_logprobs") == [-0.5, -2.0]
    seen = read_answer(answer, "token_ids")
    assert seen.ids == (5,)
    assert stop_reason(seen, ("\ndef",), frozenset()) == "stop_sequence"


def test_the_protocols_own_echo_is_read_and_an_answer_without_it_is_not():
    echoed = {"choices": [{"logprobs": {"token_logprobs": [None, -1.0, -2.0, -9.0]}}], "usage": {"prompt_tokens": 3}}
    assert read_prompt_logprobs(echoed, None, "echo") == [-1.0, -2.0]
    ignored = {"choices": [{"logprobs": {"token_logprobs": [-9.0]}}], "usage": {"prompt_tokens": 3}}
    assert read_prompt_logprobs(ignored, None, "echo") is None


def test_each_completion_has_a_seed_of_its_own():
    seeds = {seed_of(seed, task, number) for seed in (0, 1) for task in ("a", "b") for number in range(20)}
    assert len(seeds) == 80
    assert all(0 <= seed < 2**31 for seed in seeds)
