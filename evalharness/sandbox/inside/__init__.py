"""What runs inside the sandbox's own interpreters; nothing here imports the rest of evalharness."""
