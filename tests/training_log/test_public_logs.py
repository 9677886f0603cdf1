"""The heads of public logs, in the forms that people have: every value as a person reads it, or what would help."""

import math

import pytest
from shared_data import shared_or_skip

from evalharness.errors import LogError
from evalharness.training_log import LogKeys, read_logs

T, V = "train", "validation"
READ = {
    "build_nanogpt_log.txt": [
        (0, T, 10.95501), (0, V, 10.9522), (1, T, 10.014891), (2, T, 9.5), (250, T, 6.05), (250, V, 6.1),
    ],
    "card_comma.md": [(2000, T, 4.5418), (2000, V, 2.0382), (4000, T, 3.3457), (4000, V, 1.5427)],
    "epoch_step.log": [(0, T, 9.0), (10, T, 5.0), (20, T, 4.0), (30, T, 3.0)],
    "fairseq.log": [(100, T, 16.475 * math.log(2)), (200, T, 14.475 * math.log(2)), (200, V, 12.1 * math.log(2))],
    "hf4_form.log": [(1, T, 3.03), (2, T, 3.048), (2, V, 3.037), (3, T, 3.024), (4, T, 3.047), (4, V, 3.037)],
    "hf5_strings.log": [(34, T, 19.5), (34, V, 9.86), (68, T, 8.2)],
    "llmc_main.log": [(0, T, 11.0091), (0, V, 11.0092), (1, T, 10.9598), (250, V, 6.1)],
    "maxtext.log": [(1, T, 12.939), (2, T, 11.939)],
    "megatron.log": [(1, T, 10.43863), (2, T, 10.33863), (2, V, 10.23863)],
    "mlx.log": [(1, V, 2.067), (10, T, 1.847), (25, V, 0.52)],
    "nanochat.log": [(0, T, 11.090355), (1, T, 10.790355)],
    "no_step.csv": [(0, T, 10.97), (0, V, 9.71), (1, T, 9.68), (1, V, 9.71)],
    "seed_header.log": [(50, T, 0.4205), (100, T, 0.39), (100, V, 0.4377), (2000, T, 0.1866), (2000, V, 0.2224)],
    "tinker_metrics.jsonl": [(0, T, 1.81), (0, V, 1.17), (1, T, 1.61)],
    "torchtune.txt": [(1, T, 2.25), (2, T, 2.15)],
    "trainer_log.jsonl": [(10, T, 0.85), (20, T, 0.8), (20, V, 0.82)],
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_a_public_log_is_read_as_a_person_reads_it(name):
    log = read_logs([shared_or_skip(f"data/logs/{name}")])
    assert [(p.step, p.split) for p in log.points] == [(step, split) for step, split, _ in READ[name]]
    assert [p.loss_nats for p in log.points] == pytest.approx([loss for _, _, loss in READ[name]])
    understood = {column.role for column in log.files[0].columns}
    assert {split for _, split, _ in READ[name]} <= understood


def test_bits_per_byte_are_read_once_it_is_known_how_many_bytes_a_token_has():
    path = shared_or_skip("data/logs/nanochat.log")
    assert any("bytes_per_token" in note for note in read_logs([path]).notes)
    log = read_logs([path], LogKeys(bytes_per_token=4.8))
    bits = [3.2421, 1.2421]
    found = [p.loss_nats for p in log.points if p.split == V]
    assert found == pytest.approx([value * math.log(2) * 4.8 for value in bits])


def test_of_two_runs_the_named_one_is_read():
    path = shared_or_skip("data/logs/wandb_two_runs.csv")
    with pytest.raises(LogError, match=r"run1,\srun2;.*--run"):
        read_logs([path])
    first, second = (read_logs([path], LogKeys(run=run)).points for run in ("run1", "run2"))
    assert [(p.step, p.loss_nats) for p in first] == [(0, 25.48), (1, 11.28)]
    assert [(p.step, p.loss_nats) for p in second] == [(0, 10.98), (1, 9.5), (2, 8.5)]


def test_the_base_of_the_write_up_is_kept_apart_from_its_run():
    log = read_logs([shared_or_skip("data/logs/seed_header.log")])
    assert [(p.step, p.loss_nats) for p in log.base_losses] == [(50_000, 1.2539)]
