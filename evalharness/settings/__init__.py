"""What can be set, and where from: the command line, the environment, a manifest, the defaults."""
