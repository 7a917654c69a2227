"""The Django application `api`."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    """See the package's modules."""

    name = "ragapp.api"
