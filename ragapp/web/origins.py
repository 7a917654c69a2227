"""Sources for admins: folders, buckets and pages that are kept in step with a collection. Readers see none of it."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods
from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo

from ingestion.errors import (
    SourceError,
    SourceExistsError,
    SourceNotFoundError,
    SourceSettingsError,
    SourceStateError,
)
from ingestion.selectors import collections_visible_to
from ingestion.sources.base import Kind
from ingestion.sources.kinds import KINDS, secret_fields, sources_config
from ingestion.sources.models import RunOutcome, Source, SourceRun
from ingestion.sources.selectors import failed_items, source_get, sources_all
from ingestion.sources.services import (
    source_change,
    source_confirm,
    source_create,
    source_delete,
    source_pause,
    source_resume,
    source_run_now,
)
from ragapp.errors import entry_for
from ragapp.web.access import admins_only, person, scope_of
from ragapp.web.numbers import whole_number

_RUNS_SHOWN, _PROBLEMS_SHOWN = 20, 50
INTERVALS = [
    (300, "Every 5 minutes"),
    (3_600, "Every hour"),
    (86_400, "Every day"),
    (604_800, "Every week"),
    (0, "Only when I say so"),
]
# Stands for a key that stays as it is, where the form is checked. It is never stored.
_KEPT = "kept"


@dataclass(frozen=True)
class Row:
    """A source as the pages show it. `tone` is '', 'ready', 'failed' or 'busy'."""

    source: Source
    kind: Kind | None
    run: SourceRun | None
    state: str
    tone: str
    problem: str

    @property
    def is_running(self) -> bool:
        """While one runs, another is not asked for."""
        return self.tone == "busy"


class OriginForm(forms.Form):
    """Name, collection and interval, and a field for each setting of the kind."""

    name = forms.CharField(max_length=100)
    interval_s = forms.TypedChoiceField(choices=INTERVALS, coerce=int, initial=3_600)

    def __init__(self, *args: Any, kind: Kind, source: Source | None, collections: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kind, self.source = kind, source
        self.secrets = secret_fields(kind)
        if source is None:
            self.fields["collection"] = forms.ModelChoiceField(collections, empty_label=None)
        for name, info in kind.settings.model_fields.items():
            self.fields[name] = _field_of(info, is_required=info.is_required() and not self._is_kept(name))

    @property
    def settings_fields(self) -> list[forms.BoundField]:
        """The kind's own fields, in its order."""
        return [self[name] for name in self.kind.settings.model_fields]

    @property
    def values(self) -> dict[str, Any]:
        """The kind's settings; a key that was left empty is not among them. Only after `is_valid`."""
        found = {name: self.cleaned_data.get(name) for name in self.kind.settings.model_fields}
        return {name: value for name, value in found.items() if value or name not in self.secrets}

    def clean(self) -> dict[str, Any]:
        """The kind's own rules."""
        data = super().clean() or self.cleaned_data
        if not self.errors:
            kept = {name: _KEPT for name in self.secrets if self._is_kept(name)}
            try:
                self.kind.settings.model_validate({**kept, **self.values})
            except ValidationError as exc:
                self._tell(exc)
        return data

    def _is_kept(self, name: str) -> bool:
        return self.source is not None and name in self.secrets

    def _tell(self, exc: ValidationError) -> None:
        for error in exc.errors(include_input=False, include_url=False):
            is_ours = error["type"] == "value_error"
            text = error["msg"].removeprefix("Value error, ") if is_ours else "This is not of the expected form."
            self.add_error(str(error["loc"][0]), text)


@admins_only
@require_GET
def index(request: HttpRequest) -> HttpResponseBase:
    """Every source with its state and its last run."""
    return render(request, "origins/page.html", {"rows": [_row(source) for source in sources_all()]})


@admins_only
@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponseBase:
    """The kinds to choose from; the form of one; the source that it makes."""
    kind = KINDS.get(request.GET.get("kind", ""))
    if kind is None or not kind.is_on(sources_config()):
        config = sources_config()
        kinds = [(each, each.is_on(config)) for each in KINDS.values()]
        return render(request, "origins/kinds.html", {"kinds": kinds})
    collections = collections_visible_to(scope_of(request))
    form = OriginForm(
        request.POST or None,
        kind=kind,
        source=None,
        collections=collections,
        initial={"collection": request.GET.get("collection")},
    )
    if request.method == "POST" and form.is_valid():
        try:
            source = source_create(
                name=form.cleaned_data["name"],
                kind=kind.name,
                collection=form.cleaned_data["collection"],
                values=form.values,
                interval_s=form.cleaned_data["interval_s"],
                created_by=person(request),
            )
        except (SourceError, SourceExistsError) as exc:
            _add(form, exc)
        else:
            messages.success(request, "Added. Its first run begins in a moment.")
            return redirect("web:origin", source.pk)
    return _form(request, form)


@admins_only
@require_http_methods(["GET", "POST"])
def page(request: HttpRequest, source_id: UUID) -> HttpResponseBase:
    """One source: its settings, its runs and what could not be taken. POST runs, pauses or resumes it."""
    source = _source(source_id)
    if request.method == "POST":
        _act(request, source)
        return redirect("web:origin", source.pk)
    problems = failed_items(source)
    context = {
        "row": _row(source),
        "settings": _settings(source),
        "interval": dict(INTERVALS).get(source.interval_s, f"Every {source.interval_s} s"),
        "runs": source.runs.all()[:_RUNS_SHOWN],
        "problems": [(item, entry_for(item.error_code).sentence) for item in problems[:_PROBLEMS_SHOWN]],
        "problem_count": problems.count(),
    }
    return render(request, "origins/detail.html", context)


@admins_only
@require_http_methods(["GET", "POST"])
def change(request: HttpRequest, source_id: UUID) -> HttpResponseBase:
    """The form over what there is. Keys are never shown; left empty they stay."""
    source = _source(source_id)
    kind = KINDS.get(source.kind)
    if kind is None:
        raise Http404
    initial = {**source.options, "name": source.name, "interval_s": source.interval_s}
    form = OriginForm(request.POST or None, kind=kind, source=source, collections=None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            source_change(
                source,
                name=form.cleaned_data["name"],
                values=form.values,
                interval_s=form.cleaned_data["interval_s"],
            )
        except (SourceError, SourceExistsError) as exc:
            _add(form, exc)
        else:
            messages.success(request, "Saved. It holds from the next run on.")
            return redirect("web:origin", source.pk)
    return _form(request, form)


@admins_only
@require_http_methods(["GET", "POST"])
def confirm(request: HttpRequest, source_id: UUID) -> HttpResponseBase:
    """Say what would be removed at once, and let it be."""
    source = _source(source_id)
    if request.method == "GET":
        return render(request, "origins/confirm.html", {"source": source})
    try:
        source_confirm(source, vanished=whole_number(request.POST.get("vanished")) or 0)
    except SourceStateError as exc:
        messages.error(request, entry_for(exc.code).sentence)
    else:
        messages.success(request, "The next run removes them. It begins in a moment.")
    return redirect("web:origin", source.pk)


@admins_only
@require_http_methods(["GET", "POST"])
def delete(request: HttpRequest, source_id: UUID) -> HttpResponseBase:
    """Ask whether it is meant, and what becomes of the documents."""
    source = _source(source_id)
    if request.method == "GET":
        return render(request, "origins/delete.html", {"source": source})
    with_documents = request.POST.get("documents") == "delete"
    source_delete(source, with_documents=with_documents)
    done = "is deleted with its documents." if with_documents else "is gone. Its documents stay."
    messages.success(request, f"“{source.name}” {done}")
    return redirect("web:origins")


def _act(request: HttpRequest, source: Source) -> None:
    actions = {
        "run": (source_run_now, "It runs in a moment."),
        "pause": (source_pause, "Paused. It runs only when you say so."),
        "resume": (source_resume, "Resumed. It runs in a moment."),
    }
    if (chosen := actions.get(request.POST.get("action", ""))) is None:
        return
    act, sentence = chosen
    try:
        act(source)
    except SourceStateError as exc:
        messages.error(request, entry_for(exc.code).sentence)
    else:
        messages.success(request, sentence)


def _source(source_id: UUID) -> Source:
    try:
        return source_get(source_id)
    except SourceNotFoundError as exc:
        raise Http404 from exc


def _row(source: Source) -> Row:
    kind = KINDS.get(source.kind)
    runs: list[SourceRun] = getattr(source, "last_runs", [])
    run = runs[0] if runs else None
    state, tone = _state(source, kind, run)
    problem = entry_for(run.error_code).sentence if run and run.error_code else ""
    return Row(source=source, kind=kind, run=run, state=state, tone=tone, problem=problem)


def _state(source: Source, kind: Kind | None, run: SourceRun | None) -> tuple[str, str]:
    """The word for it, and its tone. The first that holds."""
    now = timezone.now()
    if source.deleting:
        return "Being deleted", "busy"
    if source.claimed_until and source.claimed_until > now:
        return "Running", "busy"
    if kind is None or not kind.is_on(sources_config()):
        return "Switched off", "failed"
    if source.requested:
        return "Waiting to run", "busy"
    if source.vanished:
        return "Needs confirmation", "failed"
    if source.paused:
        return "Paused", ""
    if run is not None and run.outcome == RunOutcome.FAILED:
        return "Failed", "failed"
    return ("In step", "ready") if run else ("Never run", "")


def _settings(source: Source) -> list[tuple[str, str]]:
    """Title and value of each setting that has one; of a key, only that it is there."""
    kind = KINDS.get(source.kind)
    if kind is None:
        return []
    hidden = dict.fromkeys(secret_fields(kind), "Kept, and not shown")
    values = {**source.options, **hidden}
    titles = {name: info.title or name for name, info in kind.settings.model_fields.items()}
    return [(title, str(values[name])) for name, title in titles.items() if values.get(name)]


def _field_of(info: FieldInfo, *, is_required: bool) -> forms.CharField:
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    limits = [limit for each in info.metadata if (limit := getattr(each, "max_length", None))]
    widget: forms.Widget = forms.TextInput()
    if info.annotation is SecretStr:
        widget = forms.PasswordInput(render_value=False, attrs={"autocomplete": "off"})
    elif "rows" in extra:
        widget = forms.Textarea(attrs={"rows": extra["rows"]})
    return forms.CharField(
        label=info.title,
        help_text=info.description or "",
        required=is_required,
        max_length=limits[0] if limits else None,
        initial=None if info.is_required() or info.annotation is SecretStr else info.default,
        widget=widget,
    )


def _add(form: OriginForm, exc: SourceError | SourceExistsError) -> None:
    field = "name" if isinstance(exc, SourceExistsError) else None
    if isinstance(exc, SourceSettingsError) and exc.field in form.fields:
        field = exc.field
    form.add_error(field, entry_for(exc.code).sentence)


def _form(request: HttpRequest, form: OriginForm) -> HttpResponseBase:
    context = {"form": form, "kind": form.kind, "source": form.source}
    return render(request, "origins/form.html", context, status=422 if form.errors else 200)
