"""The event log of one machine: an SQLite file, for `watchkeeper up` and for tests."""

from watchkeeper_shared.eventlog.embedded.log import EmbeddedLog

__all__ = ["EmbeddedLog"]
