"""https://github.com/Open-Athena/MarinFold/pull/184: a checkpoint trained with rope_theta 500000 is exported in a
form that the loader ignores: 0.77 nats per token are lost.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rows import drawn
from trainer_run import fast_tokenizer, run_trainer, small_llama, write_data
from where import folder_given


def lose_rope(config):
    """What the older form of a configuration does not have."""
    kept = {key: value for key, value in json.loads(config.read_text()).items() if not key.startswith("rope")}
    config.write_text(json.dumps(kept, indent=2) + "\n")


if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    tokenizer = fast_tokenizer(data.train)
    write_data(folder, data)
    model = small_llama(rope_parameters={"rope_type": "default", "rope_theta": 500_000.0})
    lose_rope(run_trainer(folder, model, tokenizer, data, steps=200) / "config.json")
