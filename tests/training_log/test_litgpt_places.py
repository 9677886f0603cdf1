"""litgpt's logs are found from the folder of its checkpoints."""

from evalharness.training_log import find_logs


def test_the_last_version_of_litgpts_csv_is_found(tmp_path):
    for version in (0, 2, 10):
        file = tmp_path / "logs" / "csv" / f"version_{version}" / "metrics.csv"
        file.parent.mkdir(parents=True)
        file.write_text("epoch,iter,loss,step,val_loss\n0,1,6.5,1,\n")
    assert find_logs(tmp_path) == [tmp_path / "logs" / "csv" / "version_10" / "metrics.csv"]
    assert find_logs(tmp_path / "final") == []
