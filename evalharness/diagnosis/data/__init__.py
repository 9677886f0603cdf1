"""The data that a diagnosis reads: files, rows as text and as ids, and batches of a training loop."""
