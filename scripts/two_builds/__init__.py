"""The parts of `scripts/same-output` and `scripts/bench-pairs`: two builds do the same work and are compared."""
