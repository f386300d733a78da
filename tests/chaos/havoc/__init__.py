"""The chaos suite: real processes, a seeded schedule of faults, and what must be true after it."""
