"""What tests need and production may not import: contracts, builders, servers."""
