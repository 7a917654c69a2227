"""One document: what it is and says for its readers; how it came about, and what can be done about it, for admins."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import zip_longest
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_GET, require_POST

from ingestion.errors import DocumentExistsError, DocumentStateError
from ingestion.models import Collection, Document, DocumentVersion, Label, OcrChoice
from ingestion.parsing.base import Ocr
from ingestion.parsing.media_types import IMAGES, PDF
from ingestion.selectors import chunks_of, collections_visible_to, document_get, documents_visible_to
from ingestion.services import document_change, document_reparse, version_restore
from ragapp.errors import ErrorEntry, entry_for
from ragapp.versions import readable_version, was_live
from ragapp.web.access import admins_only, is_fragment, not_found_as_404, person, scope_of, signed_in
from ragapp.web.documents import UNSETTLED, Row, rows_of
from ragapp.web.numbers import whole_number
from ragapp.web.passages import sheets_of
from ragapp.web.templatetags.documents import step_name

PASSAGES_A_PART = 20
_MEMBERS_SHOWN = 20
_ENDS = {"ready", "failed"}


@dataclass(frozen=True)
class Moment:
    """A step of reading. `took` is until the next one; None for the end, and for what is still going on."""

    name: str
    began: datetime
    took: timedelta | None
    is_end: bool


@dataclass(frozen=True)
class VersionRow:
    """A version with what became of it."""

    version: DocumentVersion
    outcome: str
    error: ErrorEntry | None
    is_live: bool
    can_be_restored: bool


class ChangeForm(forms.Form):
    """Label and collection."""

    label = forms.TypedChoiceField(choices=Label.choices, coerce=int)
    collection = forms.ModelChoiceField(Collection.objects.none())

    def __init__(self, *args: object, request: HttpRequest) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        field = self.fields["collection"]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101
        field.queryset = collections_visible_to(scope_of(request))


@require_GET
@signed_in
def page(request: HttpRequest, document_id: UUID) -> HttpResponseBase:
    """The whole page, or for htmx another part of its passages. `?version=` and `?part=` say which."""
    with not_found_as_404():
        document = document_get(document_id, scope=scope_of(request))
        version = _version(request, document)
    if is_fragment(request):
        return render(request, "document/_passages.html", _passages(request, document, version))
    context = _passages(request, document, version) | _facts(request, document)
    return render(request, "document/page.html", context)


@require_GET
@signed_in
def progress(request: HttpRequest, document_id: UUID) -> HttpResponseBase:
    """What is being done to it, as a fragment that asks again; once it is settled, the whole page is loaded anew."""
    document = _document(request, document_id)
    if document.state not in UNSETTLED:
        return HttpResponse(headers={"HX-Refresh": "true"})
    return render(request, "document/_progress.html", {"document": document, "row": _row(document)})


@require_POST
@admins_only
def reparse(request: HttpRequest, document_id: UUID) -> HttpResponseBase:
    """Read the latest file again with another setting for text in images."""
    document = _document(request, document_id)
    setting = request.POST.get("ocr", "")
    if setting not in set(Ocr):
        messages.error(request, "Choose when text in images is recognised.")
        return redirect("web:document", document.pk)
    try:
        changed = document_reparse(document, ocr=Ocr(setting))
    except DocumentStateError as exc:
        messages.error(request, entry_for(exc.code).sentence)
    else:
        messages.success(request, f"It is read again, as version {changed.version}.")
    return redirect("web:document", document.pk)


@require_POST
@admins_only
def restore(request: HttpRequest, document_id: UUID) -> HttpResponseBase:
    """Make the file of an earlier version the latest."""
    document = _document(request, document_id)
    number = whole_number(request.POST.get("number")) or 0
    try:
        with not_found_as_404():
            changed = version_restore(document, number=number)
    except DocumentStateError as exc:
        messages.error(request, entry_for(exc.code).sentence)
    else:
        messages.success(request, f"The file of version {number} is read again, as version {changed.version}.")
    return redirect("web:document", document.pk)


@require_POST
@admins_only
def change(request: HttpRequest, document_id: UUID) -> HttpResponseBase:
    """Another label or collection."""
    document = _document(request, document_id)
    form = ChangeForm(request.POST, request=request)
    if not form.is_valid():
        messages.error(request, "Choose a sensitivity and a collection.")
        return redirect("web:document", document.pk)
    label, collection = Label(form.cleaned_data["label"]), form.cleaned_data["collection"]
    try:
        document_change(document, label=label, collection=collection)
    except (DocumentExistsError, DocumentStateError) as exc:
        messages.error(request, entry_for(exc.code).sentence)
    else:
        messages.success(request, _changed(document, wanted=label))
    return redirect("web:document", document.pk)


def timeline(version: DocumentVersion, *, settled: bool) -> list[Moment]:
    """The steps of a version in the order in which they began. What is not settled goes on until now."""
    began = sorted((when, step) for step, text in version.times.items() if (when := _moment(text)))
    moments = []
    for (when, step), following in zip_longest(began, [when for when, _ in began[1:]]):
        until = following or (None if settled or step in _ENDS else timezone.now())
        took = until - when if until else None
        moments.append(Moment(name=step_name(step), began=when, took=took, is_end=step in _ENDS))
    return moments


def _document(request: HttpRequest, document_id: UUID) -> Document:
    with not_found_as_404():
        return document_get(document_id, scope=scope_of(request))


def _version(request: HttpRequest, document: Document) -> DocumentVersion:
    number = whole_number(request.GET.get("version"))
    return readable_version(document, number=number, is_admin=person(request).is_staff)


def _row(document: Document) -> Row:
    return rows_of([document])[0]


def _passages(request: HttpRequest, document: Document, version: DocumentVersion) -> dict[str, object]:
    part = Paginator(chunks_of(document, version=version.number), PASSAGES_A_PART).get_page(request.GET.get("part"))
    return {
        "document": document,
        "version": version,
        "is_live": version.number == document.live_version,
        "part": part,
        "sheets": sheets_of(list(part.object_list), version=version),
    }


def _facts(request: HttpRequest, document: Document) -> dict[str, object]:
    rows = [_version_row(version, document) for version in document.versions.select_related("uploaded_by")]
    is_admin = person(request).is_staff
    facts: dict[str, object] = {
        "row": _row(document),
        "collection": document.collection,
        "versions": rows if is_admin else [row for row in rows if row.is_live or was_live(row.version, document)],
        "archive": _archive(request, document),
        "is_pdf": document.media_type == PDF,
    }
    return facts | _for_admins(request, document, rows) if is_admin else facts


def _for_admins(request: HttpRequest, document: Document, rows: list[VersionRow]) -> dict[str, object]:
    latest = rows[0].version if rows else None
    members = documents_visible_to(scope_of(request)).filter(archive=document).order_by("name")
    return {
        "timeline": timeline(latest, settled=document.is_settled) if latest else [],
        "latest": latest,
        "groups": [] if document.collection.everyone else list(document.collection.groups.order_by("name")),
        "labels": [choice for choice in Label.choices if choice[0] >= document.collection.label],
        "collections": collections_visible_to(scope_of(request)),
        "ocr_choices": OcrChoice.choices,
        "has_images": document.media_type == PDF or document.media_type in IMAGES or not document.media_type,
        "members": list(members[:_MEMBERS_SHOWN]) if document.member_count else [],
    }


def _archive(request: HttpRequest, document: Document) -> Document | None:
    if document.archive_id is None:
        return None
    return documents_visible_to(scope_of(request)).filter(pk=document.archive_id).first()


def _version_row(version: DocumentVersion, document: Document) -> VersionRow:
    is_latest = version.number == document.version
    is_live = version.number == document.live_version
    return VersionRow(
        version=version,
        outcome=_outcome(version, document, is_latest=is_latest, is_live=is_live),
        error=entry_for(version.error_code) if version.error_code else None,
        is_live=is_live,
        can_be_restored=document.is_settled and not is_latest,
    )


def _outcome(version: DocumentVersion, document: Document, *, is_latest: bool, is_live: bool) -> str:
    if is_live:
        return "Searched now"
    if version.error_code:
        return "Failed"
    if is_latest and document.state in UNSETTLED:
        return "Being read"
    return "Replaced" if version.finished_at else "Overtaken before it was read"


def _changed(document: Document, *, wanted: Label) -> str:
    if document.label > wanted:
        return f"Saved, as {Label(document.label).label}: nothing is less sensitive than its collection."
    return "Saved. It holds from everybody's next request on."


def _moment(text: object) -> datetime | None:
    try:
        moment = parse_datetime(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return moment if moment is not None and timezone.is_aware(moment) else None
