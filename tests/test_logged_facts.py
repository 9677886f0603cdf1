"""What logs say of a run beside its losses."""

import pytest

from evalharness.pipeline.logged_facts import LoggedFacts, logged_facts

OWN_LOOP = """\
Batch size: 8 | warmup_steps: 500
trainable params: 196,608 || all params: 29,377,536 || trainable%: 0.67
Step    50/20000 | Loss: 0.4205 | LR: 1.00e-05 | 46.0 steps/s
Step   100/20000 | Loss: 0.3900 | LR: 2.00e-05 | 48.0 steps/s
"""
MEGATRON = "iteration 1/ 5000 | global batch size:   128 | micro batch size: 4 | lm loss: 1.04E+01 |\n"
LLAMA_FACTORY = '{"current_steps": 10, "total_steps": 1,000, "loss": 0.85}\n'
TWO_STAGES = "Step 1450/1500 | Loss: 0.9\n eval step 10/25\nStep 1550/2000 | Loss: 1.8\n eval step 25/25\n"
TRAINER = """\
  Total train batch size (w. parallel, distributed & accumulation) = 64
  Total optimization steps = 2,040
{'train_runtime': 120.5, 'train_steps_per_second': 17.0, 'train_loss': 3.2, 'epoch': 1}
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (OWN_LOOP, LoggedFacts((1e-5, 2e-5), 8, 20_000, 500, 47.0, None, 196_608 / 29_377_536)),
        (MEGATRON, LoggedFacts(batch_size=128, planned_steps=5000)),
        (TWO_STAGES, LoggedFacts(planned_steps=2000)),
        (LLAMA_FACTORY, LoggedFacts(planned_steps=1000)),
        (TRAINER, LoggedFacts(batch_size=64, planned_steps=2040, steps_per_s=17.0, run_time_s=120.5)),
        ("Step 1 | Loss: 2.5\n", LoggedFacts()),
    ],
    ids=["own loop", "Megatron", "two stages", "LLaMA-Factory", "trainer", "nothing"],
)
def test_facts_are_read_where_a_log_says_them(tmp_path, text, expected):
    (tmp_path / "train.log").write_text(text, encoding="utf-8")
    assert logged_facts([tmp_path / "train.log"]) == expected


def test_a_log_that_is_not_there_says_nothing(tmp_path):
    assert logged_facts([tmp_path / "train.log"]) == LoggedFacts()
