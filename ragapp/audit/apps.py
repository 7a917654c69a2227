"""The Django application `audit`."""

from django.apps import AppConfig


class AuditConfig(AppConfig):
    """See the package's modules."""

    name = "ragapp.audit"
