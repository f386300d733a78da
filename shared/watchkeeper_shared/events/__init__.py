"""What travels on the log: predictions, labels, breaches; their rows, columns and bytes."""
