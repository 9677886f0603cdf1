from log_files import read

DOCUMENT = """\
# Results

Loss was low | so was everything.

| Step | Train Loss | Val Loss | Status |
|------|-----------:|:--------:|---------|
| 50 | 0.4205 | 0.4377 | Initial |
| 2,000 | 0.1866 | **0.2224** | best |
| 4000 | 0.1834 | – | |

| Layer | Loss |
|-------|------|
| 3 | 0.5 |
"""


def test_tables_with_steps_and_losses_are_read_wherever_they_stand(tmp_path):
    assert read(tmp_path, "results.md", "text\n" * 200 + DOCUMENT) == [
        (50, "train", 0.4205),
        (50, "validation", 0.4377),
        (2000, "train", 0.1866),
        (2000, "validation", 0.2224),
        (4000, "train", 0.1834),
    ]


def test_a_table_is_known_by_its_content_too(tmp_path):
    assert read(tmp_path, "losses.txt", "| step | loss |\n| --- | --- |\n| 1 | inf |\n") == [(1, "train", float("inf"))]
