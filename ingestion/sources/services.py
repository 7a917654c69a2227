"""What admins do to sources. A run itself is in `sync`."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import IntegrityError, transaction
from django.utils import timezone
from pydantic import SecretStr

from ingestion.errors import SourceExistsError, SourceStateError
from ingestion.models import Collection
from ingestion.sources import outbox
from ingestion.sources.kinds import connected, kind_of, secret_fields
from ingestion.sources.models import Source
from ingestion.sources.sealing import seal, unseal


def source_create(
    *,
    name: str,
    kind: str,
    collection: Collection,
    values: dict[str, Any],
    interval_s: int,
    created_by: AbstractBaseUser | None,
) -> Source:
    """Add a source and let it run. `values` are its kind's settings, secrets included.

    Raises SourceOffError, SourceSettingsError or SourceExistsError.
    """
    connected(kind_of(kind), values)
    source = Source(
        name=name.strip(),
        kind=kind,
        collection=collection,
        interval_s=interval_s,
        requested=True,
        created_by_id=created_by.pk if created_by else None,
    )
    _put(source, values)
    return _saved(source)


def source_change(source: Source, *, name: str, values: dict[str, Any], interval_s: int) -> Source:
    """Change a source; a secret that is not given stays. Raises as `source_create` does, and SourceSecretError."""
    kind = kind_of(source.kind)
    kept = {} if secret_fields(kind) <= values.keys() else unseal(source.sealed)
    values = {**kept, **values}
    connected(kind, values)
    source.name, source.interval_s = name.strip(), interval_s
    source.due_at = timezone.now() + timedelta(seconds=interval_s) if interval_s else None
    _put(source, values)
    return _saved(source)


def source_run_now(source: Source) -> None:
    """Ask for a run, paused or not. Raises SourceStateError while it is being deleted."""
    _request(source)


def source_confirm(source: Source, *, vanished: int) -> None:
    """Let the next run remove as many items as the admin was shown. Raises SourceStateError where that changed."""
    with transaction.atomic():
        asked = Source.objects.filter(pk=source.pk, vanished=vanished, vanished__gt=0, deleting=False)
        if not asked.update(confirmed=vanished, requested=True):
            raise SourceStateError("nothing of that number waits for confirmation")
        _send(source.pk)


def source_pause(source: Source) -> None:
    """No run by itself until it is resumed; one that runs ends first."""
    Source.objects.filter(pk=source.pk).update(paused=True)


def source_resume(source: Source) -> None:
    """Run now, and then at its interval."""
    Source.objects.filter(pk=source.pk).update(paused=False)
    _request(source)


def source_delete(source: Source, *, with_documents: bool = False) -> None:
    """Forget the source. Its documents stay, as if uploaded; or they go first, those alone that no other has."""
    with transaction.atomic():
        if not with_documents:
            Source.objects.filter(pk=source.pk).delete()
            return
        Source.objects.filter(pk=source.pk).update(deleting=True, requested=True)
        _send(source.pk)


def _put(source: Source, values: dict[str, Any]) -> None:
    kind = kind_of(source.kind)
    secrets = secret_fields(kind)
    parsed = kind.settings.model_validate(values)
    source.options = parsed.model_dump(mode="json", exclude=secrets)
    found = {name: getattr(parsed, name) for name in secrets}
    source.sealed = seal({name: value.get_secret_value() for name, value in found.items() if _is_set(value)})


def _is_set(value: SecretStr) -> bool:
    return bool(value.get_secret_value())


def _saved(source: Source) -> Source:
    try:
        with transaction.atomic():
            if source._state.adding:
                source.save(force_insert=True)
            else:
                source.save(update_fields=["name", "interval_s", "due_at", "options", "sealed"])
            if source.requested:
                _send(source.pk)
    except IntegrityError as exc:
        raise SourceExistsError(source.name) from exc
    return source


def _request(source: Source) -> None:
    with transaction.atomic():
        if not Source.objects.filter(pk=source.pk, deleting=False).update(requested=True):
            raise SourceStateError("it is being deleted")
        _send(source.pk)


def _send(source_id: UUID) -> None:
    # robust: the row is the truth, and beat finds it where the broker did not take the message.
    transaction.on_commit(lambda: outbox.send(source_id), robust=True)
