"""The command `watchkeeper`, the all-in-one process and the demo."""
