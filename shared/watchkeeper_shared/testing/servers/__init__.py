"""Real servers and programs that tests start, use and stop."""

from watchkeeper_shared.testing.servers.unavailable import ServerUnavailable

__all__ = ["ServerUnavailable"]
