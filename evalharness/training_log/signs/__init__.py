"""What logged losses alone say of a run. Nothing is imported here: reading a log needs none of it."""
