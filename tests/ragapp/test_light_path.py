"""The light path (checks, URL import, web start) imports no ML library. Proved in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

HEAVY = ["torch", "transformers", "sentence_transformers", "llama_index", "xllamacpp", "sklearn", "scipy", "pypdfium2"]
PROGRAM = f"""
import json, sys
import django
django.setup()
from django.core.management import call_command
call_command("check")
import ragapp.urls, ragapp.asgi, ragapp.wiring, ragapp.embedded
import ragapp.management.commands.up, ragapp.management.commands.ingest
print(json.dumps([name for name in {HEAVY} if name in sys.modules]))
"""


def test_the_light_path_imports_no_ml_library(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={
            "PATH": os.environ["PATH"],
            "DJANGO_SETTINGS_MODULE": "ragapp.settings",
            "RAGAPP_DATA_DIR": str(tmp_path),
            "HOME": str(tmp_path),
        },
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout.splitlines()[-1]) == []
