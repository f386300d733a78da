"""What the doctests of this service leave out."""

# It imports evidently, which belongs into a process of its own: see `evidence/child.py`.
collect_ignore = ["watchkeeper_monitor/evidence/maker.py"]
