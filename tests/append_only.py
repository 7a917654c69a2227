"""Lifts what keeps the record as it is: for emptying a test's database, and for tests that tamper with it."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db.backends.base.base import BaseDatabaseWrapper

from ragapp.audit.append_only import INSTALLED, LIFTED


@contextmanager
def append_only_lifted(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Within the block an entry can be changed and removed."""
    with connection.cursor() as cursor:
        for statement in LIFTED[connection.vendor]:
            cursor.execute(statement)
        try:
            yield
        finally:
            for statement in INSTALLED[connection.vendor]:
                cursor.execute(statement)
