"""The losses that diagnosis measures: by row, by token, by class and under every convention of a training loop."""
