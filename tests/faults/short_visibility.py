"""The settings of a broker that hands a message out again long before its task is done."""

from ragapp.settings import *  # noqa: F403

CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 3}
