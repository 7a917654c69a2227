"""The Django application `web`."""

from django.apps import AppConfig


class WebConfig(AppConfig):
    """See the package's modules."""

    name = "ragapp.web"
