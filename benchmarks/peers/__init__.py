"""Other tools folding the same rows, each in an environment of its own."""
