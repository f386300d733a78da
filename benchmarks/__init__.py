"""The published figures: everything measured side by side in one run by `make bench`."""
