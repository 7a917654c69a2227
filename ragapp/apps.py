"""The project as a Django application: its management commands."""

from django.apps import AppConfig


class RagappConfig(AppConfig):
    """Commands live here."""

    name = "ragapp"
