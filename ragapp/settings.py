"""Django's settings, and the only place that reads the environment."""

import logging
import os
from http import HTTPStatus
from pathlib import Path

import dj_database_url
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from kombu import Queue  # type: ignore[attr-defined]

from ragapp.config import ConfigurationError, load

# Whatever any process of ours writes is for its owner alone, also in a folder that somebody made before.
os.umask(0o077)

BASE_DIR = Path(__file__).resolve().parent.parent

try:
    RAGAPP = load(os.environ)
except ConfigurationError as exc:
    raise ImproperlyConfigured(str(exc)) from None

INGESTION = RAGAPP.ingestion
SOURCES = RAGAPP.sources

SECRET_KEY = RAGAPP.signing_key()
DEBUG = RAGAPP.debug
ALLOWED_HOSTS = list(RAGAPP.allowed_hosts)

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "csp",
    "ninja",
    "ingestion",
    "ragapp",
    "ragapp.accounts",
    "ragapp.audit",
    "ragapp.chat",
    "ragapp.evaluation",
    "ragapp.web",
    "ragapp.api",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "ragapp.urls"
ASGI_APPLICATION = "ragapp.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

if RAGAPP.database_url:
    DATABASES = {"default": dj_database_url.parse(RAGAPP.database_url, conn_health_checks=True)}
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(RAGAPP.data_dir / "db.sqlite3"),
            "OPTIONS": {
                # IMMEDIATE takes the write lock at BEGIN, where the busy timeout applies; a deferred
                # transaction that upgrades to a write fails at once with "database is locked".
                "transaction_mode": "IMMEDIATE",
                "timeout": 30,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; "
                # Deleted means gone: what a row held is overwritten.
                "PRAGMA secure_delete=ON;",
            },
        }
    }
# Failed sign-ins are counted here, so all web processes must share it.
if not RAGAPP.is_embedded:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": RAGAPP.broker_url}}

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "accounts.User"
LOGIN_URL = "web:sign_in"
LOGIN_REDIRECT_URL = "web:chat"
LOGOUT_REDIRECT_URL = "web:sign_in"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
# One process serves the assets straight from the packages: nothing to collect before the first start.
SERVESTATIC_USE_FINDERS = True
SERVESTATIC_AUTOREFRESH = False

# Uploads stream to disk; nothing but small form fields is held in memory.
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
FILE_UPLOAD_HANDLERS = ["ragapp.uploads.DiskUploadHandler"]

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = RAGAPP.https
SECURE_HSTS_SECONDS = 31_536_000 if RAGAPP.https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = RAGAPP.https
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if RAGAPP.https else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    },
}

# kombu warns of a URL without a host, also where none is meant.
CELERY_BROKER_URL = "memory://localhost//" if RAGAPP.is_embedded else RAGAPP.broker_url
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
# Redis answers at once or is down; an upload must not wait for it, the sweep sends the message later.
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_max": 0.2}
CELERY_IMPORTS = ["ingestion.sources.tasks"]
CELERY_TASK_DEFAULT_QUEUE = "maintenance"
CELERY_TASK_QUEUES = [
    Queue(name, routing_key=name)  # type: ignore[no-untyped-call]
    for name in ("ingest", "ingest_large", "maintenance")
]
# A worker process that has grown beyond this, in KiB, is replaced after its task.
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 2_500_000
CELERY_TASK_SOFT_TIME_LIMIT = 1_800
CELERY_TASK_TIME_LIMIT = 1_860
# In memory the worker looks for messages this often, in s. On Redis the time-out must be above the hard limit, or a
# running task is handed to a second worker.
CELERY_BROKER_TRANSPORT_OPTIONS = (
    {"polling_interval": 0.1}
    if RAGAPP.is_embedded
    else {"visibility_timeout": 3_600, "socket_connect_timeout": 2, "socket_timeout": 10}
)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULE = {
    "sweep": {"task": "ingestion.tasks.sweep", "schedule": 15.0, "options": {"expires": 15}},
    "erasures": {"task": "ragapp.tasks.settle_erasures", "schedule": 600.0, "options": {"expires": 600}},
    "sources": {"task": "ingestion.sources.tasks.sync_sources", "schedule": 60.0, "options": {"expires": 60}},
    "answers": {"task": "ragapp.chat.tasks.tend_answers", "schedule": 30.0, "options": {"expires": 30}},
    "evaluation": {"task": "ragapp.evaluation.tasks.tend_evaluation", "schedule": 30.0, "options": {"expires": 30}},
}


def _is_no_503(record: logging.LogRecord) -> bool:
    """A probe that asks too early is no error, and whatever else answers 503 has logged why."""
    return getattr(record, "status_code", 0) != HTTPStatus.SERVICE_UNAVAILABLE


LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "filters": {"no_503": {"()": "django.utils.log.CallbackFilter", "callback": _is_no_503}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": RAGAPP.log_level.upper()},
    "loggers": {
        # httpx logs every request's address at INFO: what is asked must not reach a log by way of one.
        "httpx": {"level": "WARNING"},
        # Its warnings of a second try name the objects of a bucket.
        "urllib3": {"level": "ERROR"},
        "django.request": {"filters": ["no_503"]},
        "celery": {"level": "WARNING"},
        "sentence_transformers": {"level": "WARNING"},
    },
}
