"""The Django application `chat`."""

from django.apps import AppConfig


class ChatConfig(AppConfig):
    """See the package's modules."""

    name = "ragapp.chat"
