"""Stretches of time: panes, windows, blocks of windows, and what is still held of them. Pure."""
