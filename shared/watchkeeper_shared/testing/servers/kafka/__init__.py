"""A real Apache Kafka for tests: what Maven fetches, and how one node is run."""
