"""The retrieval bench for admins: one question, somebody's rights, two configurations. It stores nothing."""

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from ingestion.access import AccessScope
from ingestion.index.base import DENSE_WEIGHT
from ingestion.models import Collection
from ingestion.selectors import collections_visible_to, scope_for
from ragapp import wiring
from ragapp.accounts.models import User
from ragapp.chat.services import QUESTION_LIMIT
from ragapp.errors import entry_for
from ragapp.evaluation.bench import Side, Trial, side_by_side
from ragapp.web.access import admins_only, person, scope_of

_MOST = 50


class SettingsForm(forms.Form):
    """One configuration of the retrieval."""

    dense_weight = forms.FloatField(min_value=0, max_value=1, initial=DENSE_WEIGHT)
    second_stage = forms.BooleanField(required=False, initial=True)
    limit = forms.IntegerField(min_value=1, max_value=_MOST, initial=10)


class TrialForm(forms.Form):
    """What to search for, and with whose rights."""

    question = forms.CharField(max_length=QUESTION_LIMIT)
    earlier = forms.CharField(max_length=QUESTION_LIMIT, required=False)
    user = forms.ModelChoiceField(User.objects.order_by("username"), empty_label=None)
    collections = forms.ModelMultipleChoiceField(
        Collection.objects.none(), required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, reader: AccessScope, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.reader = reader
        self.fields["collections"].queryset = collections_visible_to(reader)  # type: ignore[attr-defined]

    @property
    def trial(self) -> Trial:
        """Only after `is_valid`. Without a collection chosen, all that the person may read."""
        data = self.cleaned_data
        rights = scope_for(data["user"])
        chosen = frozenset(str(each.pk) for each in data["collections"])
        return Trial(
            question=data["question"],
            earlier=data["earlier"],
            rights=rights.narrowed_to(chosen) if chosen else rights,
            reader=self.reader,
        )


# A question may be confidential: it goes in the body, so that neither an address nor a log holds it.
@never_cache
@require_http_methods(["GET", "POST"])
@admins_only
def index(request: HttpRequest) -> HttpResponseBase:
    """The form; a POST searches and shows both configurations."""
    form = TrialForm(request.POST or None, reader=scope_of(request), initial={"user": person(request).pk})
    first = SettingsForm(request.POST or None, prefix="a")
    second = SettingsForm(request.POST or None, prefix="b", initial={"second_stage": False})
    context: dict[str, Any] = {"form": form, "settings": [("A", first), ("B", second)]}
    # All three are asked, so that every wrong field is told.
    if request.method == "POST" and all([form.is_valid(), first.is_valid(), second.is_valid()]):
        trial = form.trial
        context |= {
            "trial": trial,
            "subject": form.cleaned_data["user"],
            "threshold": wiring.config().relevance_threshold,
            "sides": _sides(trial, first.cleaned_data, second.cleaned_data),
        }
    is_wrong = any(each.errors for each in (form, first, second))
    return render(request, "bench/page.html", context, status=422 if is_wrong else 200)


def _sides(trial: Trial, first: dict[str, Any], second: dict[str, Any]) -> list[tuple[str, str, Side, str]]:
    """For each its name, its settings in words, what it found, and the sentence of what went wrong."""
    retrievers = [
        wiring.retriever(dense_weight=each["dense_weight"], second_stage=each["second_stage"])
        for each in (first, second)
    ]
    found = side_by_side(trial, *retrievers, limits=(first["limit"], second["limit"]))
    return [
        (name, _in_words(data), side, entry_for(side.error_code).sentence if side.error_code else "")
        for name, data, side in zip("AB", (first, second), found, strict=True)
    ]


def _in_words(data: dict[str, Any]) -> str:
    stage = "second stage on" if data["second_stage"] else "second stage off"
    return f"dense weight {data['dense_weight']:g}, {stage}, {data['limit']} passages"
