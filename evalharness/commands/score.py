"""``evalharness score``: one checkpoint, and its card."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalharness.commands.exit_codes import INCOMPLETE, exit_codes
from evalharness.commands.log_to import log_scores, log_to_option
from evalharness.commands.options import settings_options
from evalharness.commands.terminal_progress import watcher

if TYPE_CHECKING:
    from evalharness.records import Scorecard


@click.command(epilog=exit_codes(done="scored, whatever the verdict"))
@click.argument("checkpoint", type=click.Path(path_type=Path), required=False)
@settings_options()
@log_to_option
@click.option("--json", "as_json", is_flag=True, help="Print the scorecard as JSON instead of the card.")
def score(checkpoint: Path | None, log_to: tuple[str, ...], as_json: bool, asked: dict[str, Any]) -> None:
    """Score a checkpoint: pass@k, degenerate completions, and whether its loss can be trusted.

    CHECKPOINT is a weight file or an adapter with an evalharness.toml in its folder or one above, a Hugging Face
    folder, the name of a model of the Hugging Face hub, a GGUF file, or a folder with a series of checkpoints
    (evalharness run scores all of them). Of several values for an option the first counts: given here, EVALHARNESS_* in
    the environment, [score] in evalharness.toml (the manifest), the default in brackets. If the command is interrupted,
    start it again: it continues where it stopped. With --backend openai a server writes the completions, with
    --backend vllm vLLM does, and CHECKPOINT may be left out; then nothing that needs the weights is tested.

    \b
    evalharness score checkpoints/leaky
    evalharness score runs/tuned --step 4000 --problems warmup,mbpp --samples 8 --k 1,8
    evalharness score my_hf_model --limit 20 --json > scorecard.json
    evalharness score Qwen/Qwen2.5-Coder-0.5B --problems warmup
    evalharness score --backend openai --base-url http://localhost:8000/v1 --tokenizer my_hf_model
    evalharness score my_hf_model --backend vllm --vllm-options tensor_parallel_size=2
    """
    from evalharness import pipeline
    from evalharness.runs import paths, scorecard_json

    with watcher() as watching:
        result = pipeline.score(checkpoint, asked, watching)
    log_scores(log_to, result.folder.parent, {result.folder: result.scorecard})
    if as_json:
        click.echo(scorecard_json.to_json(result.scorecard), nl=False)
    else:
        print_card(result.scorecard, result.folder / paths.REPORT)
    click.get_current_context().exit(INCOMPLETE if result.scorecard.incomplete else 0)


def print_card(card: Scorecard, report_path: Path) -> None:
    """Print the card of a scored checkpoint, with the path of its report."""
    from rich.console import Console

    from evalharness import report

    Console(highlight=False).print(report.render_card(card, report_path), soft_wrap=True)
