"""What is kept of predictions instead of the predictions: one mergeable vector of integers."""

from watchkeeper_monitor.profiles.profile import Labelled, Profile

__all__ = ["Labelled", "Profile"]
