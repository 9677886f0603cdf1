"""How a report is written: its parts in, text out."""
