"""Uploads and deletes for a while, as people would, and writes down what was acknowledged.

    python -m tests.faults.actor SECONDS SEED OUT [--again]

An operation is 'ok' once its service returned; one that raised may have happened or not, and counts for neither.
`--again` sends every message several times, and out of order.
"""

import json
import random
import sys
import time
from io import BytesIO
from pathlib import Path
from uuid import UUID
from zipfile import ZipFile

import django

django.setup()

from celery import current_app  # noqa: E402
from django.db import close_old_connections  # noqa: E402

from ingestion import services  # noqa: E402
from ingestion.errors import IngestionError  # noqa: E402
from ingestion.models import Collection, Document, Label  # noqa: E402

_WORDS = ("leave", "travel", "budget", "server", "policy", "contract", "audit", "pension", "notice", "salary", "form")


class Actor:
    """One uploader and deleter."""

    def __init__(self, *, seed: int, again: bool) -> None:
        self._chance = random.Random(seed)
        self._again = again
        self._alive: list[UUID] = []
        self.uploaded: list[str] = []
        self.deleted: list[str] = []
        self.errors: dict[str, int] = {}

    def act(self, collection: Collection, *, until: float) -> None:
        """Until the time is over, whatever is down meanwhile."""
        while time.monotonic() < until:
            try:
                close_old_connections()
                self._step(collection)
            except Exception as exc:
                code = exc.code if isinstance(exc, IngestionError) else type(exc).__name__
                self.errors[code] = self.errors.get(code, 0) + 1
            time.sleep(self._chance.uniform(0, 0.15))

    def _step(self, collection: Collection) -> None:
        if self._alive and self._chance.random() < 0.25:
            self._delete(self._chance.choice(self._alive))
        else:
            self._upload(collection)

    def _upload(self, collection: Collection) -> None:
        name, content = self._file()
        submission = services.document_submit(collection=collection, name=name, content=[content], uploaded_by=None)
        self.uploaded.append(str(submission.document.pk))
        self._alive.append(submission.document.pk)
        if self._again:
            self._send_again(submission.document.pk)
        if self._chance.random() < 0.1:
            self._delete(submission.document.pk)

    def _delete(self, key: UUID) -> None:
        document = Document.objects.filter(pk=key).first()
        if document is not None:
            services.document_delete(document)
        self.deleted.append(str(key))
        self._alive = [one for one in self._alive if one != key]

    def _send_again(self, key: UUID) -> None:
        names = ["ingest_document"] * self._chance.randint(1, 4) + ["purge_document", "refresh_document"]
        self._chance.shuffle(names)
        for name in names:
            queue = "ingest" if name == "ingest_document" else "maintenance"
            current_app.send_task(f"ingestion.tasks.{name}", args=[str(key)], queue=queue)

    def _file(self) -> tuple[str, bytes]:
        kind, number = self._chance.random(), self._chance.randrange(10**9)
        if kind < 0.05:
            packed = BytesIO()
            with ZipFile(packed, "w") as archive:
                for member in range(3):
                    archive.writestr(f"part-{member}.txt", self._text(60))
            return f"archive-{number}.zip", packed.getvalue()
        if kind < 0.1:
            return f"broken-{number}.pdf", b"%PDF-1.7 nothing"
        if kind < 0.2:
            # The same name again and again: versions.
            return f"versioned-{number % 5}.md", self._text(300).encode()
        words = 40_000 if kind < 0.23 else self._chance.randint(50, 600)
        return f"rule-{number}.md", self._text(words).encode()

    def _text(self, words: int) -> str:
        marker = f"canary{self._chance.randrange(10**12)}"
        return f"# Rule\n\n{marker} " + " ".join(self._chance.choices(_WORDS, k=words)) + "."


def main() -> None:
    """Act, then write {"uploaded", "deleted", "errors"}."""
    seconds, seed, out = float(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    actor = Actor(seed=seed, again="--again" in sys.argv)
    until = time.monotonic() + seconds
    collection = Collection.objects.filter(name="Faults").first() or services.collection_create(
        name="Faults", label=Label.INTERNAL
    )
    actor.act(collection, until=until)
    out.write_text(json.dumps({"uploaded": actor.uploaded, "deleted": actor.deleted, "errors": actor.errors}))


if __name__ == "__main__":
    main()
