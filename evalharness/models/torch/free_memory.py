"""How much memory this process may still take: what the machine has left, its control group, or its GPU."""

from __future__ import annotations

from pathlib import Path

import torch

MEMINFO = Path("/proc/meminfo")
GROUP = Path("/sys/fs/cgroup")
"""Control groups of version 2, as containers see their own."""


def free_bytes(meminfo: Path = MEMINFO, group: Path = GROUP) -> int | None:
    """Bytes that can be taken without swapping, None where the system does not tell."""
    known = [free for free in (_of_machine(meminfo), _of_group(group)) if free is not None]
    return min(known, default=None)


def free_bytes_on(device: torch.device) -> int | None:
    """Bytes that can be taken on ``device``, None where it does not tell."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return free_bytes() if device.type == "cpu" else None


def _of_machine(meminfo: Path) -> int | None:
    """``MemAvailable`` counts what the kernel would give back: caches of files among it."""
    try:
        lines = meminfo.read_text().splitlines()
    except OSError:
        return None
    kib = next((line.split()[1] for line in lines if line.startswith("MemAvailable:")), None)
    return None if kib is None else int(kib) * 1024


def _of_group(group: Path) -> int | None:
    try:
        limit, used = ((group / name).read_text().strip() for name in ("memory.max", "memory.current"))
    except OSError:
        return None
    return None if limit == "max" else max(0, int(limit) - int(used))
