"""The ASGI application."""

import os

from django.conf import settings
from django.core.asgi import get_asgi_application

from ragapp.uploads import BodyLimit

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ragapp.settings")
application = BodyLimit(get_asgi_application(), max_upload_bytes=settings.INGESTION.max_upload_bytes)
