"""The project as a Django application: its management commands and system checks."""

from django.apps import AppConfig


class RagappConfig(AppConfig):
    """Commands live here."""

    name = "ragapp"
