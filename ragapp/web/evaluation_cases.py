"""Cases of question sets for admins: added from an answer in two clicks, corrected, deleted, exported."""

import io
import json
import zipfile
from dataclasses import dataclass
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.text import slugify
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from ingestion.access import AccessScope
from ragapp.chat.errors import AnswerNotFoundError
from ragapp.errors import entry_for
from ragapp.evaluation.cases import (
    answer_to_add,
    as_folder,
    case_change,
    case_delete,
    case_from_answer,
    case_get,
    cases_of,
    set_names,
)
from ragapp.evaluation.errors import CaseNotFoundError, CaseRefusedError, SetNameError
from ragapp.evaluation.models import CaseTarget, EvaluationCase
from ragapp.web.access import admins_only, is_fragment, person, scope_of

_FIRST_SET = "From answers"


class CaseForm(forms.Form):
    """What is right."""

    expected = forms.CharField(required=False, max_length=20_000, widget=forms.Textarea(attrs={"rows": 6}))
    answerable = forms.BooleanField(required=False)


@dataclass(frozen=True)
class CaseRow:
    """A case as this reader sees it."""

    case: EvaluationCase
    expected: str
    targets: list[CaseTarget]


def case_row(case: EvaluationCase, *, scope: AccessScope) -> CaseRow:
    """Without what was drawn from deleted documents."""
    return CaseRow(case, "" if case.is_withdrawn else case.expected, case.targets_within(scope))


@never_cache
@admins_only
@require_http_methods(["GET", "POST"])
def add(request: HttpRequest, answer_id: UUID) -> HttpResponseBase:
    """The dialog that chooses the set; a POST adds the answer to it, and an htmx one gets the words for the button."""
    try:
        answer = answer_to_add(answer_id, admin=person(request))
    except AnswerNotFoundError as exc:
        raise Http404 from exc
    names = set_names(scope_of(request))
    context = {"answer_id": answer_id, "names": names, "chosen": names[0] if names else _FIRST_SET}
    if request.method == "GET":
        return render(request, "evaluation/add_case.html", context)
    name = request.POST.get("set", "")
    try:
        case = case_from_answer(answer, admin=person(request), scope=scope_of(request), set_name=name)
    except (CaseRefusedError, SetNameError) as exc:
        return _refused(request, context | {"chosen": name, "error": entry_for(exc.code).sentence})
    if is_fragment(request):
        return render(request, "evaluation/_added.html", {"case": case, "url": _url_of(case)})
    messages.success(request, f"Added to “{case.question_set}”.")
    return redirect(_url_of(case))


@never_cache
@admins_only
@require_http_methods(["GET", "POST"])
def change(request: HttpRequest, case_id: UUID) -> HttpResponseBase:
    """Say better what is right."""
    case = _case(request, case_id)
    row = case_row(case, scope=scope_of(request))
    form = CaseForm(request.POST or None, initial={"expected": row.expected, "answerable": case.answerable})
    # A POST with both left empty is one, too.
    form.is_bound = request.method == "POST"
    if request.method == "POST" and case.is_withdrawn and not request.POST.get("withdrawn"):
        # The form was opened before the deletion: its words may be the deleted document's.
        messages.error(request, "A document behind this case was deleted meanwhile. Say anew what is right.")
        return redirect("web:evaluation_case", case.pk)
    if request.method == "POST" and form.is_valid():
        case_change(case, expected=form.cleaned_data["expected"], answerable=form.cleaned_data["answerable"])
        messages.success(request, "The case was changed.")
        return redirect(_url_of(case))
    context = {"form": form, "row": row, "set_url": _url_of(case)}
    return render(request, "evaluation/case.html", context, status=422 if form.errors else 200)


@admins_only
@require_http_methods(["GET", "POST"])
def delete(request: HttpRequest, case_id: UUID) -> HttpResponseBase:
    """Ask whether it is meant."""
    case = _case(request, case_id)
    if request.method == "GET":
        return render(request, "evaluation/delete_case.html", {"case": case, "set_url": _url_of(case)})
    case_delete(case)
    messages.success(request, "The case is deleted.")
    is_left = cases_of(case.question_set, scope=scope_of(request)).exists()
    return redirect(_url_of(case) if is_left else "web:evaluation")


@never_cache
@admins_only
@require_GET
def export(request: HttpRequest) -> HttpResponseBase:
    """A set's cases as the question-set folder that `manage.py evaluate` reads, without the documents."""
    name, scope = request.GET.get("set", ""), scope_of(request)
    if not cases_of(name, scope=scope).exists():
        raise Http404
    folder = as_folder(name, scope=scope)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "queries.jsonl", "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in folder.queries)
        )
        archive.writestr("qrels.tsv", "".join("\t".join(line) + "\n" for line in folder.qrels))
    file = f"{slugify(name) or 'cases'}.zip"
    return HttpResponse(
        content.getvalue(),
        content_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{file}"'},
    )


def _case(request: HttpRequest, case_id: UUID) -> EvaluationCase:
    try:
        return case_get(case_id, scope=scope_of(request))
    except CaseNotFoundError as exc:
        raise Http404 from exc


def _url_of(case: EvaluationCase) -> str:
    return f"{reverse('web:evaluation_set')}?{urlencode({'set': case.question_set})}#cases"


def _refused(request: HttpRequest, context: dict[str, object]) -> HttpResponseBase:
    """The sentence, in the button's place where htmx asked: the dialog closes at every answer that it can show."""
    template = "evaluation/_add_case.html" if is_fragment(request) else "evaluation/add_case.html"
    return render(request, template, context, status=422)
