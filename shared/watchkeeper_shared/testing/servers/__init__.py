"""Real servers and programs that tests start, use and stop."""
