"""llama.cpp's own server on one file, in a process of its own that can be killed."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROGRAM = """
import sys, time
import xllamacpp

path, port, slots, context, key = sys.argv[1:]
params = xllamacpp.CommonParams()
params.model.path = path
params.port = int(port)
params.n_parallel = int(slots)
params.n_ctx = int(context) * int(slots)
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
params.warmup = False
if key:
    params.api_keys = [key]
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
time.sleep(3600)
"""


@dataclass(frozen=True)
class LlamaServer:
    base_url: str
    port: int
    process: subprocess.Popen[str]

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@contextlib.contextmanager
def llama_server(
    path: Path, *, port: int = 0, slots: int = 2, context: int = 1024, key: str = ""
) -> Iterator[LlamaServer]:
    """Run a server until the block ends; ``port`` 0 takes a free one."""
    arguments = [sys.executable, "-c", PROGRAM, str(path), str(port or _free_port()), str(slots), str(context), key]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address, "the server did not start"
        yield LlamaServer(f"{address}/v1", int(address.rpartition(":")[2]), process)
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
