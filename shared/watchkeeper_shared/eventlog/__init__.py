"""The event log: a port, a Kafka adapter and an embedded one, under one contract test."""
