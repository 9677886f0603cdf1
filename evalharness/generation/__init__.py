"""Writes completions. A token depends only on (weights, prompt, seed, task_id, completion_id, position)."""

from __future__ import annotations

from evalharness.generation.measure import (
    TOLERABLE_NATS,
    choose_threads,
    fastest_threads,
    generation_s,
    logit_noise,
    measured_noise,
    pass_s,
)
from evalharness.generation.noise import Noise
from evalharness.generation.pace import Pace, measured_pace
from evalharness.generation.prompting import Prompting, Settings, requests_for
from evalharness.generation.torch_generator import TorchGenerator, generate
from evalharness.models.requests import GREEDY, Decoding, Request

__all__ = [
    "GREEDY",
    "TOLERABLE_NATS",
    "Decoding",
    "Noise",
    "Pace",
    "Prompting",
    "Request",
    "Settings",
    "TorchGenerator",
    "choose_threads",
    "fastest_threads",
    "generate",
    "generation_s",
    "logit_noise",
    "measured_noise",
    "measured_pace",
    "pass_s",
    "requests_for",
]
