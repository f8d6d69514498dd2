"""What `scripts/same-output` and `scripts/bench-pairs` are made of: two builds do the same things, and are compared."""
