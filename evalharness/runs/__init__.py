"""The run folder: its paths, what is written in it and how it is read again."""
