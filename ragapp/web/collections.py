"""Making a collection."""

from typing import Any

from django import forms
from django.contrib.auth.models import Group
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from ingestion.errors import CollectionExistsError
from ingestion.models import Collection, Label
from ingestion.services import collection_create
from ragapp.errors import entry_for
from ragapp.web.access import admins_only

EVERYONE, GROUPS = "everyone", "groups"


class CollectionForm(forms.Form):
    """Name, description, label and readers."""

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

    def save(self) -> Collection:
        """Raises CollectionExistsError."""
        data: dict[str, Any] = self.cleaned_data
        everyone = data["readers"] == EVERYONE
        return collection_create(
            name=data["name"],
            description=data["description"],
            label=Label(data["label"]),
            everyone=everyone,
            groups=() if everyone else data["groups"],
        )


@require_http_methods(["GET", "POST"])
@admins_only
def new(request: HttpRequest) -> HttpResponseBase:
    """The form, and the collection that it makes."""
    form = CollectionForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            collection = form.save()
        except CollectionExistsError as exc:
            form.add_error("name", entry_for(exc.code).sentence)
        else:
            return redirect(f"{reverse('web:documents')}?collection={collection.pk}")
    return render(request, "documents/collection_new.html", {"form": form}, status=422 if form.errors else 200)
