"""Put files and folders into a collection from the command line."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from ingestion import services
from ingestion.errors import IngestionError
from ingestion.files import blocks_of
from ingestion.models import Collection, Document, DocumentState, Label
from ingestion.services import SameName
from ragapp import embedded, wiring
from ragapp.accounts.models import User
from ragapp.errors import entry_for
from ragapp.management.people import acting_user, add_user_argument

_POLL_S = 0.5


@dataclass
class _Submitted:
    """One file's fate."""

    path: Path
    document: Document | None
    error_code: str = ""


class Command(BaseCommand):
    """`manage.py ingest PATH… --collection NAME`."""

    help = "Upload files, and folders with everything below them. Exits with 1 where a file was refused or failed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH")
        parser.add_argument("--collection", required=True, help="its name; made where there is none")
        parser.add_argument(
            "--label", choices=[label.name.lower() for label in Label], help="sensitivity of these files"
        )
        parser.add_argument("--wait", action="store_true", help="wait until every file is ready or failed")
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        add_user_argument(parser)

    def handle(self, *args: Any, paths: list[Path], collection: str, **options: Any) -> None:
        files = list(_files(paths))
        user = acting_user(options["user"])
        label = Label[options["label"].upper()] if options["label"] else None
        target = _collection(collection, label)
        with ExitStack() as stack:
            wait = options["wait"]
            if wiring.config().is_embedded and embedded.running_server() is None:
                # Nobody else would read them: the workers run here until all is done.
                stack.enter_context(embedded.data_folder_owned())
                stack.enter_context(embedded.workers())
                wait = True
            repeated = {name for name, times in Counter(path.name for path in files).items() if times > 1}
            submitted = [_submit(path, target, user, label, repeated) for path in _progress(files, "uploading")]
            if wait:
                _wait(submitted)
        self._report(submitted, as_json=options["json"])

    def _report(self, submitted: list[_Submitted], *, as_json: bool) -> None:
        rows = [_row(entry) for entry in submitted]
        if as_json:
            self.stdout.write(json.dumps({"documents": rows}, ensure_ascii=False))
        else:
            for row in rows:
                self.stdout.write(
                    f"{row['state']:<10} {row['path']}" + (f"\n           {row['error']}" if row["error"] else "")
                )
        failed = sum(row["state"] in {"refused", DocumentState.FAILED} for row in rows)
        if failed:
            raise CommandError(f"{failed} of {len(rows)} files were refused or failed.")


def _files(paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            below = (part for part in sorted(path.rglob("*")) if part.is_file())
            yield from (file for file in below if not any(p.startswith(".") for p in file.relative_to(path).parts))
        elif path.is_file():
            yield path
        else:
            raise CommandError(f"There is no file or folder {path}.")


def _collection(name: str, label: Label | None) -> Collection:
    found = Collection.objects.filter(name=name).first()
    return found or services.collection_create(name=name, label=Label.RESTRICTED if label is None else label)


def _submit(path: Path, collection: Collection, user: User, label: Label | None, repeated: set[str]) -> _Submitted:
    """A file of a name that is there is its new version; of names that come more than once here, none is."""
    try:
        submission = services.document_submit(
            collection=collection,
            name=path.name,
            content=blocks_of(path),
            uploaded_by=user,
            label=label,
            same_name=SameName.KEEP_BOTH if path.name in repeated else SameName.NEW_VERSION,
        )
    except IngestionError as exc:
        return _Submitted(path=path, document=None, error_code=exc.code)
    except OSError:
        return _Submitted(path=path, document=None, error_code="upload_error")
    return _Submitted(path=path, document=submission.document)


def _wait(submitted: list[_Submitted]) -> None:
    waiting = {entry.document.pk: entry for entry in submitted if entry.document}
    with _bar(len(waiting), "reading") as bar:
        while waiting:
            known = {document.pk: document for document in Document.objects.filter(pk__in=waiting)}
            for key in list(waiting):
                if key not in known or known[key].is_settled:
                    entry = waiting.pop(key)
                    entry.document = known.get(key, entry.document)
                    bar.update()
            time.sleep(_POLL_S if waiting else 0)


def _row(entry: _Submitted) -> dict[str, Any]:
    code = entry.document.error_code if entry.document else entry.error_code
    return {
        "path": str(entry.path),
        "document_id": str(entry.document.pk) if entry.document else None,
        "state": entry.document.state if entry.document else "refused",
        "error_code": code or None,
        "error": entry_for(code).sentence if code else None,
    }


def _progress(files: list[Path], description: str) -> Iterator[Path]:
    with _bar(len(files), description) as bar:
        for file in files:
            yield file
            bar.update()


def _bar(total: int, description: str) -> "tqdm[Any]":
    """On standard error, and only where a person watches."""
    return tqdm(total=total, desc=description, unit="file", disable=None)
