"""A small server of OpenAI's completions protocol that scores its prompts, as vLLM does and llama.cpp's does not.

It really runs the model that it is given, over HTTP on a port of this machine, one request at a time.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

import torch
from tokenizers import Tokenizer

Dialect = Literal["echo", "prompt_logprobs"]
NAME = "small"


def answer(model: Callable[[torch.Tensor], torch.Tensor], tokenizer: Tokenizer, dialect: Dialect, asked: Any) -> Any:
    """The answer to one request; ``model`` gives logits ``(length, vocabulary)`` for ids ``(length,)``."""
    prompt = asked["prompt"]
    ids = tokenizer.encode(prompt).ids if isinstance(prompt, str) else list(prompt)
    given, generator = len(ids), torch.Generator().manual_seed(asked.get("seed") or 0)
    for _ in range(asked["max_tokens"]):
        p = torch.softmax(model(torch.tensor(ids))[-1], dim=-1)
        ids.append(int(torch.multinomial(p, 1, generator=generator) if asked["temperature"] else p.argmax()))
    log_p = torch.log_softmax(model(torch.tensor(ids[:-1])).double(), dim=-1)
    values = [None, *(float(row[i]) for row, i in zip(log_p, ids[1:], strict=True))]
    choice: dict[str, Any] = {"text": tokenizer.decode(ids[given:]), "index": 0, "finish_reason": "length"}
    if asked.get("return_token_ids"):
        choice["token_ids"] = ids[given:]
    if dialect == "echo" and asked.get("echo"):
        choice["logprobs"] = {"token_logprobs": values}
    if dialect == "prompt_logprobs" and "prompt_logprobs" in asked:
        scored = zip(ids[1:given], values[1:given], strict=True)
        choice["prompt_logprobs"] = [None, *({str(i): {"logprob": value}} for i, value in scored)]
    usage = {"prompt_tokens": given, "completion_tokens": len(ids) - given, "total_tokens": len(ids)}
    return {"id": "1", "object": "text_completion", "created": 0, "model": NAME, "choices": [choice], "usage": usage}


@contextlib.contextmanager
def scoring_server(
    model: Callable[[torch.Tensor], torch.Tensor], tokenizer: Tokenizer, dialect: Dialect, context: int
) -> Iterator[str]:
    """Run a server until the block ends; yield its base URL."""
    one_at_a_time = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            listed = [{"id": NAME, "object": "model", "created": 0, "owned_by": "tests", "max_model_len": context}]
            self._send({"object": "list", "data": listed} if self.path == "/v1/models" else None)

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with one_at_a_time, torch.no_grad():
                self._send(answer(model, tokenizer, dialect, asked))

        def _send(self, body: Any) -> None:
            data = json.dumps(body).encode()
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
