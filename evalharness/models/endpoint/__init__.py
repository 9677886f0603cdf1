"""Models that another engine runs: a server that speaks OpenAI's completions protocol, or vLLM in this process.

::

    engine.py        what answers requests
    server.py        a server: its address, many requests at a time, what its errors mean
    vllm_engine.py   vLLM in this process, which answers as its server does
    wire.py          a request as fields, an answer read back, in each server's dialect
    handshake.py     what the server can really do, asked before anything is trusted
    same_weights.py  whether it runs the weights that are loaded here
    served_model.py  its model as the stages see one      generator.py   completions from it

Importing this package imports no torch, no client library and no vLLM.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from evalharness.models.endpoint.engine import Engine
from evalharness.models.endpoint.generator import EndpointGenerator
from evalharness.models.endpoint.handshake import Handshake, model_named, shake_hands
from evalharness.models.endpoint.served_model import ServedModel
from evalharness.models.endpoint.server import Server
from evalharness.models.endpoint.vllm_engine import open_engine

if TYPE_CHECKING:
    from evalharness.models.endpoint.same_weights import Agreement, agreement_with

__all__ = [
    "Agreement",
    "EndpointGenerator",
    "Engine",
    "Handshake",
    "ServedModel",
    "Server",
    "agreement_with",
    "model_named",
    "open_engine",
    "shake_hands",
]


def __getattr__(name: str) -> Any:
    if name in {"Agreement", "agreement_with"}:
        return getattr(importlib.import_module("evalharness.models.endpoint.same_weights"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
