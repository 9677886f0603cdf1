"""The catalogue collects what the files in ``probes/`` export; nothing else lists them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import evalharness
from evalharness.diagnosis import probes
from evalharness.diagnosis.catalogue import catalogue
from evalharness.diagnosis.examination import MISSING

PACKAGE = Path(evalharness.__file__).parent
FILES = sorted(file.stem for file in Path(probes.__path__[0]).glob("*.py") if file.stem != "__init__")
IN_ORDER = [
    "future_leak", "not_logits", "last_position", "no_targets", "label_shift", "smoothing_floor",
    "repaired", "padding_in_loss", "prompt_in_loss", "loss_mismatch", "diverged", "no_end_token", "prompt_format",
    "double_begin", "token_boundary", "adapter", "stochastic_forward", "batch_invariance", "cache_mismatch",
    "own_generation",
    "vocabulary", "not_finite", "contamination", "split_overlap", "easy_tokens", "context",
    "undertrained", "overfit", "self_reinforcement",
]  # fmt: skip
"""The leak comes first, for it explains everything else; what judges what the others left over comes last."""


def names(asked_of):
    return [probe.name for probe in catalogue(asked_of)]


def test_a_checkpoint_is_asked_by_every_probe_in_this_order():
    assert names("checkpoint") == IN_ORDER


def test_before_training_ids_are_checked_before_the_model_is_run_and_the_leak_comes_first_of_what_runs_it():
    assert names("batch")[:2] == ["vocabulary", "future_leak"]
    assert catalogue("batch")[0].ends_if_cause
    assert names("rows")[0] == "future_leak"


def test_each_file_of_probes_exports_a_probe_of_its_own_name():
    asked = {probe.name for asked_of in ("checkpoint", "batch", "rows") for probe in catalogue(asked_of)}
    assert asked == set(FILES)


@pytest.mark.parametrize("asked_of", ["checkpoint", "batch", "rows"])
def test_no_probe_is_asked_twice_and_no_two_share_a_place(asked_of):
    found = catalogue(asked_of)
    assert len({probe.name for probe in found}) == len({probe.order for probe in found}) == len(found)


def test_nothing_but_its_own_file_names_a_probe_in_an_import_of_the_catalogue():
    tree = ast.parse((PACKAGE / "diagnosis" / "catalogue.py").read_text(encoding="utf-8"))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not any(str(module).startswith("evalharness.diagnosis.probes.") for module in imported)


def test_everything_that_a_probe_may_need_has_a_reason_for_when_it_is_missing():
    needs = {
        need for asked_of in ("checkpoint", "batch", "rows") for probe in catalogue(asked_of) for need in probe.needs
    }
    assert needs <= set(MISSING)


def _modules() -> dict[str, Path]:
    files = [file for part in ("diagnosis", "models", "generation") for file in (PACKAGE / part).rglob("*.py")]
    named = {".".join(["evalharness", *file.relative_to(PACKAGE).with_suffix("").parts]): file for file in files}
    return {name.removesuffix(".__init__"): file for name, file in named.items()}


def _imports(file: Path, modules: dict[str, Path]) -> set[str]:
    """Which of ``modules`` a file imports, those for type checking alone among them."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            below = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {name if name in modules else str(node.module) for name in below}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & modules.keys()


def test_no_module_of_the_diagnosis_or_the_models_imports_itself_by_way_of_others():
    modules = _modules()
    left = {name: _imports(file, modules) - {name} for name, file in modules.items()}
    while leaves := [name for name, needed in left.items() if not needed & left.keys()]:
        left = {name: needed for name, needed in left.items() if name not in leaves}
    assert not left, f"these import each other: {', '.join(sorted(left))}"
