"""The probes: one question a file."""
