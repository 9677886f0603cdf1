"""Text that the loader of training changed before the tokenizer."""

from dataclasses import replace
from pathlib import Path

import pytest
from plants_repairs import few
from small_sound import of, sound, trained
from small_training import data_rows, encoded
from whole import log_of

from evalharness.diagnosis.measured import Measured
from evalharness.diagnosis.probes.repaired import repaired
from evalharness.diagnosis.repairs.text_form import FORMS, repairs
from evalharness.records import Finding

FILE = Path("validation.jsonl")


def as_text(known):
    return replace(known, validation=replace(known.validation, file=FILE))


@pytest.mark.parametrize(
    "words", ["without its line breaks", pytest.param("without its indentation", marks=pytest.mark.slow)]
)
def test_what_the_loader_of_training_did_to_the_text_is_found(words, golden_text):
    form = dict(FORMS)[words]
    rows = [replace(row, prompt=form(row.prompt), completion=form(row.completion)) for row in data_rows(200, 1)]
    module = trained("plain", encoded(rows, end=True), 150)
    known = few(of(module))
    changed = [replace(row, prompt=form(row.prompt), completion=form(row.completion)) for row in known.validation.rows]
    log = log_of(replace(known, validation=replace(known.validation, encoded=encoded(changed, end=True))))
    found = repaired(Measured(as_text(replace(known, **log))))
    assert isinstance(found, Finding)
    assert found.evidence["kind"] == "text_form"
    golden_text(found.evidence["place"])


def test_text_that_no_form_changes_and_rows_of_ids_have_none():
    known = few(of(sound("plain")))
    assert not list(repairs(known))
    assert {repair.kind for repair in repairs(as_text(known))} == {"text_form"}
