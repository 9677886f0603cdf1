"""What the pages of a report cost: their size, the time to write them, and when a browser first shows them.

python benchmarks/pages.py                # 164 problems with 5 and with 200 completions each, some 2 minutes
python benchmarks/pages.py --samples 5    # the first alone
python benchmarks/pages.py --steps        # how long the report of 50 checkpoints takes

The completions are as long as a score lets them be (800 characters), every token has its id and its entropy, and every
other completion loops. The report around them is that of a shipped checkpoint, with its figures.
"""

from __future__ import annotations

import argparse
import random
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from copied_steps import copy_steps

from evalharness.degeneration import analyse
from evalharness.pipeline.browsing import browser_of
from evalharness.problems import load_problems
from evalharness.records import Completion, Execution, Verdict
from evalharness.report import to_pages
from evalharness.report.parts import Figure
from evalharness.runs import paths, shown_beside
from evalharness.runs import record_rows as rows
from evalharness.runs.folder import RunFolder

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "docs" / "examples"
PAIR_RECORDS = ROOT / "tests" / "pair_records.tar.xz"
RUN_RECORDS = ROOT / "tests" / "run_records.tar.xz"
CHARACTERS = 800
TOKEN = re.compile(r"\s?\w{1,5}|\s+|[^\w\s]")
LOADS = 5
STEPS, LAST_STEP = 50, "step_1000"


def texts_of(solutions: list[str], draw: random.Random) -> tuple[str, str]:
    """Two completions without an end: one goes on with other problems' solutions, the other repeats a line of one."""
    varied = "\n".join(draw.sample(solutions, 8))
    line = draw.choice([line for line in draw.choice(solutions).split("\n") if line.strip()])
    looping = f"{draw.choice(solutions)}\n" + f"{line}\n" * (CHARACTERS // len(line) + 1)
    return varied[:CHARACTERS], looping[:CHARACTERS]


def encoded(text: str, vocabulary: dict[str, int]) -> tuple[int, ...]:
    """The ids of a text's pieces; each new piece gets the next number."""
    return tuple(vocabulary.setdefault(piece, len(vocabulary)) for piece in TOKEN.findall(text))


def fill(folder: Path, samples: int) -> None:
    """Write the records of a score with one greedy completion and ``samples`` sampled ones for each problem."""
    draw, vocabulary = random.Random(0), dict[str, int]()
    problems = load_problems("humaneval", paths=None, environment={}).problems
    solutions = [problem.canonical_solution for problem in problems]
    with RunFolder(folder) as run:
        for decoding, count in (("greedy", 1), ("sampled", samples)):
            group = paths.Group("humaneval", decoding)
            completions, executions, analyses = [], [], []
            for problem in problems:
                pair = texts_of(solutions, draw)
                # The analysis of one text serves all that are equal to it: it is not what is measured here.
                analysed = [analyse(text, stop_reason="max_new_tokens") for text in pair]
                for number in range(count):
                    text, ids = pair[number % 2], encoded(pair[number % 2], vocabulary)
                    entropies = tuple(round(draw.expovariate(2.0), 4) for _ in ids)
                    verdict = draw.choice([Verdict.PASSED, Verdict.FAILED, Verdict.TIMED_OUT])
                    completions.append(
                        Completion(problem.task_id, number, text, ids, "max_new_tokens", decoding, entropies)
                    )
                    executions.append(
                        Execution(problem.task_id, number, verdict, "AssertionError", "apart", 0.1, 0.1, 1 << 24)
                    )
                    analyses.append(analysed[number % 2])
            rows.write_completions(run, group, completions)
            rows.write_executions(run, group, (c.text for c in completions), executions)
            rows.write_analyses(run, group, completions, analyses)
        shown_beside.write_problem_texts(
            run, [shown_beside.ProblemText("humaneval", p.task_id, p.prompt, p.canonical_solution) for p in problems]
        )
        shown_beside.write_token_texts(run, {token_id: piece for piece, token_id in vocabulary.items()})


def unpacked(records: Path, folder: Path) -> Path:
    """The folder that the records of runs are unpacked into."""
    with tarfile.open(records) as archive:
        archive.extractall(folder, filter="data")
    return folder


def document(shipped: Path) -> tuple:
    """The report of a shipped run, with its figures and those of a shipped step."""
    from evalharness.pipeline import renew_report

    drawn = sorted((EXAMPLES / "causal/step_1000/figures").glob("*.svg"))
    return (
        *renew_report(shipped).document,
        *(Figure(f"figures/{p.stem}.svg", p.read_bytes(), p.stem) for p in drawn),
    )


def write(folder: Path, parts: tuple) -> tuple[list[Path], float]:
    """Write the pages from the records in ``folder``; return them and the seconds of CPU that it took."""
    begun = time.process_time()
    with RunFolder(folder) as run:
        pages = to_pages(parts, browser_of({"causal, step 1,000": folder}))
        run.write_pages(pages)
    return [folder / name for name in pages], time.process_time() - begun


def first_paint_ms(page: Path) -> float | None:
    """When chromium has painted the first content, in ms from the start of loading; None without a browser."""
    driver, browser = shutil.which("chromedriver"), shutil.which("chromium")
    if driver is None or browser is None:
        return None
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(argument)
    chromium = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    asked = "return performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
    times: list[float] = []
    try:
        for _ in range(LOADS):
            chromium.get("about:blank")
            chromium.get(page.as_uri())
            while (painted := chromium.execute_script(asked)) is None:
                time.sleep(0.02)
            times.append(painted)
    finally:
        chromium.quit()
    return statistics.median(times)


def many_steps(folder: Path, scored: Path) -> Path:
    """A run with many scored steps: the last of a scored one, under as many step numbers."""
    run = folder / "many"
    shutil.copytree(scored, run, ignore=shutil.ignore_patterns("step_*"))
    # As a run of today keeps it: without the words of the probes in it, they are read from these, which takes torch.
    shutil.copy(EXAMPLES / "causal_run" / "run.json", run)
    copy_steps(scored / LAST_STEP, run, STEPS)
    return run


def report_seconds(run: Path) -> float:
    """The seconds of CPU of the command that writes the report of a run again, its start included; the best of three.

    On a machine with nothing else to do it takes as long.
    """
    command = [sys.executable, "-m", "evalharness", "report", str(run)]

    def once() -> float:
        begun = cpu_of_children()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return cpu_of_children() - begun

    return min(once() for _ in range(3))


def cpu_of_children() -> float:
    """The seconds of CPU of every command that has ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, nargs="*", default=[5, 200])
    parser.add_argument("--steps", action="store_true", help="measure the report of 50 checkpoints instead")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if arguments.steps:
            run = many_steps(Path(name), unpacked(PAIR_RECORDS, Path(name)) / "causal")
            print(f"report of {STEPS} checkpoints, CPU s: {report_seconds(run):.2f}")
            return
        parts = document(unpacked(RUN_RECORDS, Path(name)) / "causal_run")
        for samples in arguments.samples:
            folder = Path(name) / str(samples)
            fill(folder, samples)
            pages, seconds = write(folder, parts)
            sizes = [page.stat().st_size / 1e6 for page in pages]
            print(f"164 x {samples}: report.html {sizes[0]:.2f} MB, {len(sizes) - 1} more, {sum(sizes):.1f} MB in all")
            print(f"  written in {seconds:.2f} CPU s, largest of the others {max(sizes[1:], default=0):.2f} MB")
            for page in [pages[0], *pages[1:2]]:
                print(f"  first paint of {page.name}: {first_paint_ms(page)} ms")


if __name__ == "__main__":
    main()
