"""How probes run the model: on real inputs, in two ways that should agree, and completing the same problems twice."""
