"""Collections: the list, one with what is in it, making one, changing its settings, removing an empty one."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.models import Group
from django.db.models import Count, Q, QuerySet, Sum
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from ingestion.errors import CollectionExistsError, CollectionNotEmptyError
from ingestion.models import Collection, Document, DocumentState, Label, OcrChoice
from ingestion.selectors import collection_get, collections_visible_to, documents_visible_to
from ingestion.services import collection_create, collection_delete, collection_update
from ragapp.errors import entry_for
from ragapp.web.access import admins_only, not_found_as_404, scope_of, signed_in
from ragapp.web.documents import rows_of
from ragapp.web.filters import STATES
from ragapp.web.templatetags.documents import format_name

EVERYONE, GROUPS = "everyone", "groups"
_LAST_SHOWN = 8


@dataclass
class FormatCount:
    """Documents of one format; `size` in bytes."""

    name: str
    documents: int = 0
    passages: int = 0
    size: int = 0


@dataclass(frozen=True)
class StateCount:
    """Documents in one state."""

    state: DocumentState
    documents: int


class CollectionForm(forms.Form):
    """Name, description, label, readers and how its files are read."""

    name = forms.CharField(max_length=100)
    description = forms.CharField(max_length=300, required=False)
    label = forms.TypedChoiceField(choices=Label.choices, coerce=int, initial=Label.INTERNAL)
    readers = forms.ChoiceField(
        choices=[(EVERYONE, "Everyone who can sign in"), (GROUPS, "Only these groups, and admins")],
        initial=EVERYONE,
        widget=forms.RadioSelect,
    )
    groups = forms.ModelMultipleChoiceField(
        Group.objects.order_by("name"), required=False, widget=forms.CheckboxSelectMultiple
    )
    ocr = forms.ChoiceField(choices=OcrChoice.choices, initial=OcrChoice.AUTO, required=False)

    @property
    def fields_of_collection(self) -> dict[str, Any]:
        """What the services take; only after `is_valid`."""
        data: dict[str, Any] = self.cleaned_data
        everyone = data["readers"] == EVERYONE
        return {
            "name": data["name"],
            "description": data["description"],
            "label": Label(data["label"]),
            "everyone": everyone,
            "groups": () if everyone else data["groups"],
            "ocr": OcrChoice(data["ocr"] or OcrChoice.AUTO),
        }


@admins_only
@require_GET
def index(request: HttpRequest) -> HttpResponseBase:
    """Every collection with its readers and its number of documents."""
    collections = (
        collections_visible_to(scope_of(request))
        .prefetch_related("groups")
        .annotate(document_count=Count("documents", filter=~Q(documents__state=DocumentState.DELETING)))
    )
    return render(request, "collections/page.html", {"collections": collections})


@require_GET
@signed_in
def detail(request: HttpRequest, collection_id: UUID) -> HttpResponseBase:
    """What is in it: counts for its readers, and settings for admins."""
    with not_found_as_404():
        collection = collection_get(collection_id, scope=scope_of(request))
    found = documents_visible_to(scope_of(request)).filter(collection=collection)
    formats = _formats(found)
    context = {
        "collection": collection,
        "states": _states(found),
        "formats": formats,
        "total": FormatCount("", *(sum(getattr(one, name) for one in formats) for name in _SUMMED)),
        "last": rows_of(list(found.order_by("-created_at", "name")[:_LAST_SHOWN])),
        "groups": list(collection.groups.order_by("name")) if request.user.is_staff else [],
    }
    return render(request, "collections/detail.html", context)


@require_http_methods(["GET", "POST"])
@admins_only
def new(request: HttpRequest) -> HttpResponseBase:
    """The form, and the collection that it makes."""
    form = CollectionForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            collection = collection_create(**form.fields_of_collection)
        except CollectionExistsError as exc:
            form.add_error("name", entry_for(exc.code).sentence)
        else:
            return redirect(f"{reverse('web:documents')}?collection={collection.pk}")
    return _form(request, form, collection=None)


@require_http_methods(["GET", "POST"])
@admins_only
def change(request: HttpRequest, collection_id: UUID) -> HttpResponseBase:
    """The form over what there is."""
    with not_found_as_404():
        collection = collection_get(collection_id, scope=scope_of(request))
    form = CollectionForm(request.POST or None, initial=_initial(collection))
    if request.method == "POST" and form.is_valid():
        try:
            collection_update(collection, **form.fields_of_collection)
        except CollectionExistsError as exc:
            form.add_error("name", entry_for(exc.code).sentence)
        else:
            messages.success(request, "Saved. It holds from everybody's next request on.")
            return redirect("web:collection", collection.pk)
    return _form(request, form, collection=collection)


@require_http_methods(["GET", "POST"])
@admins_only
def delete(request: HttpRequest, collection_id: UUID) -> HttpResponseBase:
    """Ask whether it is meant, then remove the empty collection."""
    with not_found_as_404():
        collection = collection_get(collection_id, scope=scope_of(request))
    if request.method == "GET":
        return render(request, "collections/delete.html", {"collection": collection})
    try:
        collection_delete(collection)
    except CollectionNotEmptyError as exc:
        messages.error(request, entry_for(exc.code).sentence)
    else:
        messages.success(request, f"“{collection.name}” is gone.")
    return redirect("web:collections")


_SUMMED = ("documents", "passages", "size")


def _states(found: QuerySet[Document]) -> list[StateCount]:
    counts = dict(found.order_by().values_list("state").annotate(n=Count("pk")))
    return [StateCount(state, counts[state]) for state in STATES if state in counts]


def _formats(found: QuerySet[Document]) -> list[FormatCount]:
    """By the name of the format, most documents first: a PNG and a JPEG are both an image."""
    named: dict[str, FormatCount] = {}
    counted = found.order_by().values_list("media_type").annotate(n=Count("pk"), c=Sum("chunk_count"), b=Sum("size"))
    for media_type, documents, passages, size in counted:
        name = format_name(media_type) or "Not read yet"
        count = named.setdefault(name, FormatCount(name))
        count.documents += documents
        count.passages += passages
        count.size += size
    return sorted(named.values(), key=lambda count: (-count.documents, count.name))


def _form(request: HttpRequest, form: CollectionForm, *, collection: Collection | None) -> HttpResponseBase:
    chosen = {str(key) for key in form["groups"].value() or ()}
    context = {"form": form, "collection": collection, "chosen_groups": chosen}
    return render(request, "collections/form.html", context, status=422 if form.errors else 200)


def _initial(collection: Collection) -> dict[str, Any]:
    return {
        "name": collection.name,
        "description": collection.description,
        "label": collection.label,
        "readers": EVERYONE if collection.everyone else GROUPS,
        "ocr": collection.ocr,
        "groups": list(collection.groups.values_list("pk", flat=True)),
    }
