"""When a number is a breach: the statistics of the decision, and its states. Pure."""
