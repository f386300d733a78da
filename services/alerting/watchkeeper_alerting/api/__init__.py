"""The HTTP routes under `/v1`: parse, call one use case, translate the answer."""
