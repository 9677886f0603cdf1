import pytest
from log_files import read, written

from evalharness.errors import LogError
from evalharness.records import LossPoint
from evalharness.training_log import read_log

LINES = "1700000000500 2.5 10\n1700000001500 nan 20\n"


@pytest.mark.parametrize(
    ("name", "split"), [("train_loss", "train"), ("metrics/eval/loss", "validation"), ("val_loss", "validation")]
)
def test_the_file_is_named_after_its_metric(tmp_path, name, split):
    first, second = read_log(written(tmp_path, name, LINES))
    assert first == LossPoint(10, split, 2.5, f"{name.split('/')[-1]}:1", None, 1_700_000_000.5)
    assert second.loss_nats != second.loss_nats


def test_a_metric_that_is_no_loss_is_refused_by_its_name(tmp_path, golden_text):
    with pytest.raises(LogError) as error:
        read(tmp_path, "accuracy", LINES)
    golden_text(error)


def test_a_last_line_that_has_no_end_is_left_out(tmp_path):
    points = read_log(written(tmp_path, "val_loss", LINES + "1700000002500 2.25 3"))
    assert [p.step for p in points] == [10, 20]
