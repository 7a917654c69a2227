"""The corpus as a Django application."""

from django.apps import AppConfig


class IngestionConfig(AppConfig):
    """Collections, documents and chunks."""

    name = "ingestion"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Importing registers."""
        from ingestion import checks  # noqa: F401 - importing registers them
