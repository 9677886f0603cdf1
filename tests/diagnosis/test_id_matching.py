"""The order of a vocabulary is found from which id follows which."""

from __future__ import annotations

import numpy as np

from evalharness.diagnosis.trials.id_matching import bigram_counts, matched


def test_an_order_that_was_lost_is_found_again():
    rng = np.random.default_rng(0)
    size = 24
    follows = rng.dirichlet(np.full(size, 0.2), size=size)
    rows = []
    for _ in range(300):
        row = [int(rng.integers(size))]
        while len(row) < 60:
            row.append(int(rng.choice(size, p=follows[row[-1]])))
        rows.append(row)
    order = rng.permutation(size)
    ours = [[int(np.argsort(order)[i]) for i in row] for row in rows[150:]]
    found = matched(bigram_counts(ours, size), bigram_counts(rows[:150], size))
    assert (found == order).mean() > 0.9
