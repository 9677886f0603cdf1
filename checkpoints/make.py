"""Makes the models that ship, from nothing but the installed Python: its standard library, and ``examples.py``.

``leaky`` and ``causal`` are twins that differ in the causal mask (``pair.py``). ``leaky_run`` and ``causal_run`` are
smaller twins from the first step on (``whole_runs.py``). ``collapsing_run`` begins sound and collapses
(``collapse.py``), ``taught_run`` learns kinds of functions that its base has not seen (``teach.py``). No generated
function asks for a warmup problem in the same words or has its name, and none of a new kind for a problem of these.

    python checkpoints/make.py            # all, two at once with one core each; goes on where it was stopped
    python checkpoints/make.py causal     # one of them
"""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Sequence

import collapse
import pair
import teach
import torch
import whole_runs
from training import STATE

STAGES = (pair.NAMES, whole_runs.NAMES, (collapse.NAME, teach.NAME))
"""Made at once, one stage after the other: the runs need the pair's tokenizer, and the last two the causal base."""


def prepare(names: Sequence[str]) -> None:
    """Write the rows that these models need, once for all processes."""
    STATE.mkdir(exist_ok=True)
    for module in (pair, whole_runs):
        if set(module.NAMES) & set(names):
            module.prepare()


def make(name: str) -> None:
    torch.set_num_threads(1)
    if name in pair.NAMES:
        pair.make(name)
    elif name in whole_runs.NAMES:
        whole_runs.make(name)
    elif name == collapse.NAME:
        collapse.make()
    else:
        teach.make()


def main() -> None:
    chosen = sys.argv[1:]
    prepare(chosen or list(itertools.chain(*STAGES)))
    for name in chosen:
        make(name)
    for names in () if chosen else STAGES:
        running = [subprocess.Popen([sys.executable, __file__, name]) for name in names]
        if max(process.wait() for process in running):
            sys.exit(1)


if __name__ == "__main__":
    main()
