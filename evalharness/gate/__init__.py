"""Whether a checkpoint passes the checks that were requested, and against its baseline."""
