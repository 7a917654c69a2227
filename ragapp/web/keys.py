"""A person's API keys. The secret is in one response, once, and nowhere else."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from ragapp.accounts.models import ApiKey
from ragapp.accounts.services import IssuedKey, api_key_issue, api_key_revoke
from ragapp.web.access import person, signed_in

NAME_LIMIT = 100


@never_cache
@require_http_methods(["GET", "POST"])
@signed_in
def index(request: HttpRequest) -> HttpResponseBase:
    """The keys; a POST makes one and shows its secret."""
    issued: IssuedKey | None = None
    error = ""
    if request.method == "POST":
        name = request.POST.get("name", "").strip()[:NAME_LIMIT]
        if name:
            issued = api_key_issue(person(request), name=name)
        else:
            error = "Give the key a name, so that you know it again."
    context = {"keys": _keys(request), "issued": issued, "error": error}
    return render(request, "keys/page.html", context, status=422 if error else 200)


@require_http_methods(["GET", "POST"])
@signed_in
def revoke(request: HttpRequest, key_id: UUID) -> HttpResponseBase:
    """Ask whether it is meant, then end the key at once."""
    key = next((key for key in _keys(request) if key.pk == key_id), None)
    if key is None:
        raise Http404
    if request.method == "GET":
        return render(request, "keys/revoke.html", {"key": key})
    api_key_revoke(person(request), key_id=str(key_id))
    messages.success(request, f"The key “{key.name}” no longer works.")
    return redirect("web:keys")


def _keys(request: HttpRequest) -> list[ApiKey]:
    return list(ApiKey.objects.filter(user=person(request)))
