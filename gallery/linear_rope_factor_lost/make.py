"""https://github.com/JIA-Lab-research/LongLoRA/issues/181: models are uploaded without the linear rope scaling that
they were trained with, and write nothing but spaces. The log ends at 0.99 nats per token; it is 1.90 as loaded and 0.99
with the factor.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rows import drawn
from trainer_run import fast_tokenizer, run_trainer, small_llama, write_data
from where import folder_given

THETA = 10_000.0


def lose_factor(config):
    """A configuration with the base alone."""
    kept = json.loads(config.read_text()) | {"rope_parameters": {"rope_type": "default", "rope_theta": THETA}}
    config.write_text(json.dumps(kept, indent=2) + "\n")


if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    tokenizer = fast_tokenizer(data.train)
    write_data(folder, data)
    model = small_llama(rope_parameters={"rope_type": "linear", "factor": 4.0, "rope_theta": THETA})
    lose_factor(run_trainer(folder, model, tokenizer, data, steps=200) / "config.json")
