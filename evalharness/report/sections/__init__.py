"""The sections of the reports, each from the records that it shows."""
