"""One test class per port, run against every implementation."""
