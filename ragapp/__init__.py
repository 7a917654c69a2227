"""The Django project, and everything that a person or a tool touches."""

from ragapp.celery import app as celery_app

__all__ = ["celery_app"]
