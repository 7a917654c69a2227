"""The corpus as a Django application."""

from django.apps import AppConfig


class IngestionConfig(AppConfig):
    """Collections, documents and chunks."""

    name = "ingestion"
    default_auto_field = "django.db.models.BigAutoField"
