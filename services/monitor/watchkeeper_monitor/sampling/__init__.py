"""Which rows stand for many: the smallest by a hash of their ids."""
