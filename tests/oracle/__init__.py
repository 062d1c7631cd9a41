"""A plain-Python twin of one tick, written from the specification alone."""
