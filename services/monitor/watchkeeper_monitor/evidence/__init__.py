"""What is frozen when a breach opens, and the report that another process makes of it."""
