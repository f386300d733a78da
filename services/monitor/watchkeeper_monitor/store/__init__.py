"""The monitor's tables: every statement that reads or writes them is in this package."""
