"""Bring the index to a Qdrant server: what is there already is not written again, and nothing is embedded twice."""

import os
from contextlib import closing
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from pydantic import SecretStr
from tqdm import tqdm

from ingestion import engine
from ingestion.errors import IngestionError
from ingestion.factory import catalog_for
from ingestion.index.base import ChunkIndex, IndexCatalog, IndexIdentity
from ingestion.projection import differences, live_chunks, project
from ragapp.errors import entry_for

_MOST_ROUNDS = 20


class Command(BaseCommand):
    """`manage.py migrate_index --to-url URL [--api-key-env NAME]`."""

    help = (
        "Write the index from the database to a Qdrant server, compare, and say what to set. The application goes on "
        "meanwhile; run this again for what has changed until it was restarted."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--to-url", required=True, metavar="URL", help="for instance http://qdrant:6333")
        parser.add_argument(
            "--api-key-env", default="", metavar="NAME", help="environment variable that holds the server's key"
        )

    def handle(self, *args: Any, to_url: str, api_key_env: str, **options: Any) -> None:
        key = os.environ.get(api_key_env, "") if api_key_env else ""
        if api_key_env and not key:
            raise CommandError(f"The environment has no {api_key_env}.")
        target = settings.INGESTION.model_copy(update={"qdrant_url": to_url, "qdrant_api_key": SecretStr(key)})
        try:
            with closing(catalog_for(target)) as catalog:
                left = _written(catalog, engine.identity())
        except IngestionError as exc:
            raise CommandError(f"{entry_for(exc.code).sentence} What was written stays; run this again.") from exc
        if left:
            raise CommandError(f"{left} differences are left: documents are changing. Run this again.")
        self._say(to_url, api_key_env)

    def _say(self, to_url: str, api_key_env: str) -> None:
        self.stdout.write(f"All {live_chunks().count()} passages are on the server. Set these, and restart:")
        self.stdout.write(f"  RAGAPP_QDRANT_URL={to_url}")
        if api_key_env:
            self.stdout.write(f"  RAGAPP_QDRANT_API_KEY=(what {api_key_env} holds)")
        self.stdout.write("Then, for what has changed until the restart: manage.py audit --repair")
        if not settings.INGESTION.qdrant_url:
            self.stdout.write(f"The embedded index in {settings.INGESTION.index_dir} is not used any more; remove it.")


def _written(catalog: IndexCatalog, identity: IndexIdentity) -> int:
    """How many differences are left."""
    ours = [name for name, each in catalog.generations().items() if each == identity]
    name = catalog.live(identity) or (ours[-1] if ours else catalog.create(identity))
    with closing(catalog.open(name)) as index:
        _projected(index)
        catalog.switch(name)
        return differences(index).count


def _projected(index: ChunkIndex) -> None:
    with tqdm(desc="writing", unit="passage", disable=None) as bar:

        def on_progress(done: int, total: int) -> None:
            bar.total, bar.n = total, done
            bar.refresh()

        for _ in range(_MOST_ROUNDS):
            if not project(index, engine.embedder(), on_progress=on_progress).changes:
                return
