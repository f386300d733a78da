"""Alerting's own tables, and its read-only views of the monitor's. Functions of a connection."""
