"""Three years of real inference logs, streamed through a Watchkeeper of its own."""
