"""The words that code is made of, for telling gibberish: writes evalharness/degeneration/words.txt.

    python benchmarks/words.py [--words 3000]

Parts of names, comments and docstrings (``parseHTTPHeader`` has three), by the number of functions that they stand in.
Only the half of the reference code that no error rate is measured on is read.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from corpora import references

from evalharness.degeneration.gibberish import words_of

FILE = Path(__file__).parents[1] / "evalharness" / "degeneration" / "words.txt"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=int, default=3_000, help="how many words are kept")
    parser.add_argument("--functions", type=int, default=3_000, help="most functions of one corpus")
    asked = parser.parse_args()
    functions = [f for f in references(asked.functions, seed=0) if not f.held_out]
    counts = Counter(word for function in functions for word in set(words_of(function.text)))
    kept = sorted(counts, key=lambda word: (-counts[word], word))[: asked.words]
    FILE.write_text("\n".join(sorted(kept)) + "\n", encoding="utf-8")
    print(f"{len(kept):,} words of {len(functions):,} functions; the rarest stands in {counts[kept[-1]]}")


if __name__ == "__main__":
    main()
