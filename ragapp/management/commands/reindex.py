"""Build the index anew beside the live one, and switch to it, while everybody goes on searching."""

import json
import time
from contextlib import ExitStack
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from ingestion import builds, engine
from ingestion.errors import IngestionError
from ingestion.models import BuildState, IndexBuild
from ragapp import embedded, wiring
from ragapp.errors import entry_for

_POLL_S = 0.5
_PATIENCE_S = 120.0
_ENDED = {BuildState.LIVE, BuildState.REPLACED, BuildState.FAILED, BuildState.CANCELLED}


class Command(BaseCommand):
    """`manage.py reindex [--resume | --rollback | --cancel | --status] [--json]`."""

    help = (
        "Build the index of the configured embedding model from the database, and make it live. Kept vectors are used; "
        "those of a new model are made. Processes that run with another model keep theirs until they are restarted."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--resume", action="store_true", help="go on with the last build that did not end well")
        what.add_argument(
            "--rollback", action="store_true", help="bring the former index up to date, and go back to it"
        )
        what.add_argument("--cancel", action="store_true", help="end the build that is under way")
        what.add_argument("--status", action="store_true", help="only show the builds")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        model = engine.embedder().name
        if options["status"]:
            self._show(list(IndexBuild.objects.all()[:20]), as_json=options["json"])
            return
        if options["cancel"]:
            build = _cancelled(model)
        else:
            build = _carried(_wanted(model, resume=options["resume"], rollback=options["rollback"]))
        self._show([build], as_json=options["json"])
        if build.state == BuildState.FAILED:
            raise CommandError(f"{entry_for(build.error_code).sentence} Go on with: manage.py reindex --resume")

    def _show(self, listed: list[IndexBuild], *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps({"builds": [_row(build) for build in listed]}))
            return
        for build in listed:
            name = build.generation or build.embedding_model
            progress = f"{build.done} of {build.total} passages" if build.total else ""
            self.stdout.write(f"{build.pk:>5}  {build.state:<10} {name}  {progress} {build.error_code}".rstrip())


def _wanted(model: str, *, resume: bool, rollback: bool) -> IndexBuild:
    if resume:
        build = builds.build_resume(embedding_model=model)
    elif rollback:
        build = builds.build_rollback(embedding_model=model)
    else:
        build = builds.build_request(embedding_model=model)
    if build is None:
        raise CommandError("There is nothing to resume." if resume else "No former index was kept.")
    return build


def _cancelled(model: str) -> IndexBuild:
    build = IndexBuild.objects.filter(
        embedding_model=model, state__in=[BuildState.REQUESTED, BuildState.BUILDING]
    ).first()
    if build is None or not builds.build_cancel(build):
        raise CommandError("No build is under way.")
    build.refresh_from_db()
    return build


def _carried(build: IndexBuild) -> IndexBuild:
    with ExitStack() as stack:
        bar = stack.enter_context(tqdm(desc="building", unit="passage", disable=None))
        if wiring.config().is_embedded:
            if embedded.running_server():
                return _followed(build, bar)
            stack.enter_context(embedded.data_folder_owned())
            # Whoever had it in hand is gone: the folder is ours.
            builds.builds_let_go()
        try:
            build = builds.build_run(
                build.pk,
                catalog=engine.catalog(),
                embedder=engine.embedder(),
                on_progress=lambda done, total: _show_progress(bar, done, total),
            )
        except IngestionError as exc:
            sentence = entry_for(exc.code).sentence
            raise CommandError(f"{sentence} Go on with: manage.py reindex --resume") from exc
        return build if build.state in _ENDED else _followed(build, bar)


def _followed(build: IndexBuild, bar: "tqdm[Any]") -> IndexBuild:
    """Another process has it in hand, or will."""
    since = time.monotonic()
    while build.state not in _ENDED:
        if build.state == BuildState.REQUESTED and time.monotonic() - since > _PATIENCE_S:
            raise CommandError(
                f"No process takes up the build. It is of {build.embedding_model}: the server, or a worker, must run "
                "with that model. The request stays."
            )
        time.sleep(_POLL_S)
        build.refresh_from_db()
        _show_progress(bar, build.done, build.total)
    return build


def _show_progress(bar: "tqdm[Any]", done: int, total: int) -> None:
    bar.total, bar.n = total, done
    bar.refresh()


def _row(build: IndexBuild) -> dict[str, Any]:
    return {
        "id": build.pk,
        "state": build.state,
        "embedding_model": build.embedding_model,
        "generation": build.generation,
        "done": build.done,
        "total": build.total,
        "error_code": build.error_code or None,
        "created_at": build.created_at.isoformat(),
        "finished_at": build.finished_at.isoformat() if build.finished_at else None,
    }
