"""Probes, pages and logs of every process."""
