"""What the records of the log hold: read, or a dead letter; never both, never neither."""
