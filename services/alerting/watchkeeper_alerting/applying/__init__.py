"""From files that people write to checked, versioned objects; every mistake with its line."""
