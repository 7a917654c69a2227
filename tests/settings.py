"""The application's settings over a data folder that ends with the test run.

The environment is emptied first: what a developer has set for `make run` must not decide a test.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from tests.provision.folders import MODELS

for name in [name for name in os.environ if name.startswith("RAGAPP_")]:
    del os.environ[name]
DATA_DIR = Path(tempfile.mkdtemp(prefix="ragapp-tests-"))
atexit.register(shutil.rmtree, DATA_DIR, ignore_errors=True)
os.environ["RAGAPP_DATA_DIR"] = str(DATA_DIR)
os.environ["RAGAPP_MODELS_DIR"] = str(MODELS)
os.environ["RAGAPP_CHAT_MODEL"] = "smollm2-135m-instruct"

from ragapp.settings import *  # noqa: E402, F403

# A file, as in real life: an in-memory database has neither WAL nor a second connection.
DATABASES["default"]["TEST"] = {"NAME": DATA_DIR / "test.sqlite3"}  # noqa: F405
# Argon2 is slow on purpose; tests sign in hundreds of times.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
