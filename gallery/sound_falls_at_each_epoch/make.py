"""https://github.com/hiyouga/LlamaFactory/issues/7485: the training loss drops each time that an epoch begins, and
it is asked whether it is computed wrongly. It is not: the model has seen the rows before.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rows import drawn
from trainer_run import fast_tokenizer, run_trainer, small_llama, write_data
from where import folder_given

if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    tokenizer = fast_tokenizer(data.train)
    write_data(folder, data)
    # 94 steps are an epoch.
    run_trainer(folder, small_llama(hidden_size=96, intermediate_size=256), tokenizer, data, steps=282, rate=6e-3)
