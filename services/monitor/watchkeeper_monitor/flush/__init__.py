"""What was read becomes state: everything up to a position, in one transaction."""
