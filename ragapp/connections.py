"""Database connections on threads that no request owns: nobody else drops one that died."""

from django.db import close_old_connections, connection


def refresh_connection() -> None:
    """Close a connection that is dead or past its age; the next query opens another. Inside a transaction: nothing."""
    if not connection.in_atomic_block:
        close_old_connections()
