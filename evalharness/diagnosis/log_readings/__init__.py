"""What else a logged loss may be than this checkpoint's: one reading a file, each tested against the log."""

NAME = "loss_mismatch"
"""The probe that says which of them it is."""
