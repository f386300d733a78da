"""Ways to tell people: one file each, behind the port in `port.py`."""
