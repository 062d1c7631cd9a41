"""What is wrong with a snapshot: one line each."""


class SnapshotError(ValueError):
    """A snapshot that does not fit: another configuration, schema or form."""


class CorruptSnapshotError(SnapshotError):
    """A snapshot that is not what was once sealed."""
