"""Write the pages of docs/ that are generated from the code, or check that they are up to date."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ragapp import reference

PAGES = {"configuration.md": reference.configuration_page, "errors.md": reference.errors_page}


class Command(BaseCommand):
    """`manage.py docs [--check]`."""

    help = "Write docs/configuration.md and docs/errors.md from the code; --check only compares."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="fail where a page differs, and write nothing")

    def handle(self, *args: Any, check: bool, **options: Any) -> None:
        folder = Path(settings.BASE_DIR) / "docs"
        for name, build in PAGES.items():
            page, path = build(), folder / name
            if check and (not path.exists() or path.read_text() != page):
                raise CommandError(f"docs/{name} differs from the code. Run: manage.py docs")
            if not check:
                path.write_text(page)
