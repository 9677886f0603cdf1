import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import report_example as example
from golden_text import lines_with
from markdown_it import MarkdownIt

from evalharness.degeneration import analyse
from evalharness.pipeline.counting import degeneration_rate
from evalharness.records import (
    Completion,
    Finding,
    Incomplete,
    Interval,
    KindRate,
    Loss,
    NotTestable,
    RuledOut,
    Verdict,
)
from evalharness.report import Evidence, checkpoint_document, figures_of, to_markdown

GOLDEN = Path(__file__).parent / "golden" / "score.md"
NAMES = ("losses", "loss_by_class", "passage", "pass_at_1", "onsets", "entropy", "entropy_at_onset")
FIGURES = {f"figures/{name}.svg": b"" for name in NAMES}
HOSTILE = [
    "```\n# out of the block\n````python\n`````",
    "a | b || c \\| d \\\\| e",
    "<script>alert(1)</script> <!-- <img src=x onerror=y> &lt;",
    "\x00\x1b[31mred\x1b[0m\r\x07\u202ereversed\u2028line\u2029\x85",
    "\ud800 lone \udfff",
    "# heading\n\n- list\n\n> quote\n\n| a |\n|---|\n| b |",
    "[link](http://x) ![image](y) [ref]: z **bold** __b__ ~~s~~ $x$",
    "`",
    "",
    "\\",
    "\t",
]


def render(card, evidence, figures) -> str:
    return to_markdown(checkpoint_document(card, evidence, figures))


def parse(markdown: str):
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(markdown)


def outline(tokens) -> list[str]:
    """The document's blocks, without their text."""
    return [token.type for token in tokens if token.type != "inline"]


def test_the_report_is_the_golden_one():
    report = render(example.scorecard(), example.evidence(), FIGURES)
    if os.environ.get("EVALHARNESS_UPDATE_GOLDEN"):
        GOLDEN.write_text(report, encoding="utf-8")
    assert report == GOLDEN.read_text(encoding="utf-8")


def test_figures_of_the_example_are_those_that_the_golden_report_shows():
    paths = figures_of(example.scorecard(), example.evidence())
    assert sorted(paths) == sorted(FIGURES)


def test_every_table_parses_and_every_fence_closes():
    tokens = parse(render(example.scorecard(), example.evidence(), FIGURES))
    types = outline(tokens)
    assert types.count("table_open") == 16
    fences = [token for token in tokens if token.type == "fence"]
    # Six completions with prompt, expected and generated; four of them loop and show their tokens.
    assert len(fences) == 6 * 3 + 4
    assert not any("####" in fence.content for fence in fences)
    assert [t.content for t in tokens if t.type == "inline" and t.content.startswith("Brackets [low, high]")]
    assert "html_block" not in types


def test_the_order_of_the_completions_does_not_matter():
    evidence = example.evidence()
    turned = replace(evidence, scored={name: members[::-1] for name, members in evidence.scored.items()})
    assert render(example.scorecard(), evidence, FIGURES) == render(example.scorecard(), turned, FIGURES)


def test_two_processes_write_the_same_bytes_whatever_their_hashes_and_their_matplotlibrc(tmp_path):
    program = (
        "import hashlib, report_example as e\n"
        "from evalharness.report import checkpoint_document, figures_of, to_markdown\n"
        "card, evidence = e.scorecard(), e.evidence()\n"
        "files = figures_of(card, evidence)\n"
        "files['report.md'] = to_markdown(checkpoint_document(card, evidence, files)).encode()\n"
        "print({k: hashlib.sha256(v).hexdigest() for k, v in files.items()})\n"
    )
    (tmp_path / "matplotlibrc").write_text("font.size: 20\nsvg.fonttype: none\naxes.grid: False\n")
    outputs = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONPATH": str(GOLDEN.parents[1]), "PYTHONHASHSEED": seed, **more},
            capture_output=True,
            check=True,
        ).stdout
        for seed, more in (("1", {}), ("2", {"MATPLOTLIBRC": str(tmp_path)}))
    ]
    assert outputs[0] == outputs[1]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_text_from_outside_breaks_the_document(hostile):
    plain, broken = (render(*with_text(text), {}) for text in ("plain text", hostile))
    tokens = parse(broken)
    assert outline(tokens) == outline(parse(plain))
    inline = [child.type for token in tokens for child in token.children or []]
    assert not {"html_inline", "image", "link_open", "s_open"} & set(inline)
    broken.encode("utf-8")
    assert not any(char in broken for char in "\x00\x1b\r\x07\u202e\u2028\u2029\x85")


def with_text(text: str):
    """The example with ``text`` wherever text comes from outside, in a form that keeps the shape of the document."""
    word = f"x{text}x"
    items = []
    for item in example.warmup()[3:6]:
        completion = replace(item.completion, text=word)
        problem = replace(item.problem, task_id=f"{item.problem.task_id}{word}", prompt=word, canonical_solution=word)
        execution = replace(item.execution, detail=word)
        items.append(replace(item, problem=problem, completion=completion, execution=execution))
    card = example.scorecard(
        checkpoint=replace(example.scorecard().checkpoint, path=word, kind=word, notes=(word, word)),
        loss=Loss(0.1, word, None, None, word),
        findings=(Finding("p", "cause", text.strip() or "x", {"key" + text: text, "list": [text]}, word),),
        ruled_out=(RuledOut(word, word, {word: text}),),
        not_testable=(NotTestable(word, "failed", word),),
        incomplete=(Incomplete("loss", None, word),),
    )
    return card, Evidence({"warmup": tuple(items)}, (), example.token_text)


def test_a_checkpoint_about_which_nothing_is_known_still_has_a_report():
    card = example.scorecard(
        checkpoint=replace(example.scorecard().checkpoint, step=None, notes=()),
        protocol=replace(example.scorecard().protocol, problems=()),
        loss=Loss(None, None, None, None, "not recomputed: there is no data"),
        pass_at_k={},
        outcomes={},
        degeneration={},
        verdict="healthy",
        findings=(),
        ruled_out=(),
        not_testable=(),
        incomplete=(Incomplete("generation", None, "no problems"),),
    )
    evidence = Evidence({}, (), example.token_text)
    assert figures_of(card, evidence) == {}
    report = render(card, evidence, {})
    for sentence in (
        "Nothing was scored.",
        "No diagnosis: nothing could be tested.",
        "This score is incomplete",
        "not measured",
    ):
        assert sentence in report


def one_completion(*members):
    card = example.scorecard(degeneration={}, protocol=replace(example.scorecard().protocol, stop_loops=False))
    rate = degeneration_rate([s.completion for s in members], [s.analysis for s in members], 0)
    return replace(card, degeneration={"greedy": rate}), Evidence({"warmup": members}, (), example.token_text)


def test_one_completion_has_a_report_that_claims_no_more(golden_text):
    card, evidence = one_completion(example.scored(example.problem(0), [example.NEWLINE] * 90))
    report = render(card, evidence, {})
    assert "entropy_at_onset" not in "".join(figures_of(card, evidence))
    golden_text(lines_with("90.0 (no", report))
    golden_text(lines_with("[5.0, 100.0]", report))
    assert "Dependence on the prompt" not in report
    assert "inf" not in report.replace("information", "")


def test_a_completion_without_entropies_has_no_figure_of_them():
    item = example.scored(example.problem(0), [example.NEWLINE] * 90)
    blind = replace(
        item,
        completion=replace(item.completion, token_entropy_nats=()),
        analysis=analyse(item.completion.text, item.completion.token_ids, decode=example.decode, stop_reason="loop"),
    )
    card, evidence = one_completion(blind)
    assert not [name for name in figures_of(card, evidence) if "entropy" in name]
    assert re.search(r"\| of the predictions, mean +\| +– \|", render(card, evidence, {}))


def test_shares_and_kinds_that_this_version_does_not_know_are_shown_by_their_names(golden_text):
    card = example.scorecard()
    greedy = replace(
        card.degeneration["greedy"],
        kinds={"new|kind": KindRate(1, 0.2, 0.1, 0.3)},
        shares={"new_share": Interval(0.5, 0.4, 0.6)},
    )
    report = render(replace(card, degeneration={"greedy": greedy}), example.evidence(), {})
    golden_text(lines_with("[10.0, 30.0]", report))
    golden_text(lines_with("| new", report))


def test_a_kind_that_one_decoding_lacks_has_an_interval_there_too():
    row = next(line for line in render(example.scorecard(), example.evidence(), {}).splitlines() if "| near " in line)
    assert row.endswith("| 1: 16.7 % [0.9, 59.4] |  0: 0.0 % [0.0, 40.6] |")


def test_the_reason_stands_beside_the_verdict_and_cannot_break_its_table(golden_text):
    report = render(example.scorecard(verdict_reason="a | b `c"), example.evidence(), {})
    golden_text(lines_with("COLLAPSED", report))
    assert "**collapsed**: a \\| b \\`c" in report
    without_reason = render(example.scorecard(verdict_reason=""), example.evidence(), {})
    golden_text(lines_with("COLLAPSED", without_reason))


def test_a_model_that_never_loops_has_no_worst_completions(golden_text):
    sound = example.scored(example.problem(0), [1, 2, 3, 4, 5, example.NEWLINE], Verdict.PASSED)
    card, evidence = one_completion(sound)
    golden_text(lines_with("is degenerate.", render(card, evidence, {})))


def test_one_row_alone_gives_no_interval_and_no_claim(golden_text):
    infinite = Interval(1.5, float("-inf"), float("inf"))
    loss = Loss(0.2, "x", Interval(0.2, 0.1, 0.3), infinite, "one row")
    report = render(example.scorecard(loss=loss), example.evidence(), {})
    assert "inf" not in report.replace("information", "")
    golden_text(lines_with("Not known whether", report))


def test_a_completion_with_a_stop_reason_of_its_prompt_is_not_shown(golden_text):
    skipped = example.evidence().scored["humaneval"]
    assert all(isinstance(item.completion, Completion) and not item.completion.text for item in skipped)
    golden_text(lines_with("was begun", render(example.scorecard(), example.evidence(), {})))


def test_the_protocol_names_the_commit_and_the_quantisation_of_a_model_that_has_them():
    from evalharness.report.sections.protocol_table import protocol_section

    quantisation = "GGUF Q4_K_M (tensors: Q4_K)"
    packed = replace(example.scorecard().checkpoint, commit="5fb78fc6", quantisation=quantisation)
    rows = dict(list(protocol_section(example.scorecard(checkpoint=packed)))[1].rows)
    assert rows["Quantisation of the weights"] == quantisation
    assert rows["Commit on the hub"].text == "5fb78fc6"
    assert "Commit on the hub" not in dict(list(protocol_section(example.scorecard()))[1].rows)
