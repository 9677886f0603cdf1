"""The two terms that only this project uses: reports explain them at first use."""

HONEST = "The honest loss predicts each token from the tokens before it alone."
DEGENERATE = "A completion is degenerate if it is empty, copies the prompt, repeats itself, or is no text."
ON_A_CARD = "honest: without future tokens; degenerate: loops, echoes, or no text"
"""Both on one line."""
