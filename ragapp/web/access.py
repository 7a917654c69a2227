"""Who may open a page. Every look-up by id goes through a selector that takes the owner or the scope."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import resolve_url

from ingestion.access import AccessScope
from ingestion.errors import (
    CollectionNotFoundError,
    DocumentNotFoundError,
    PageNotFoundError,
    VersionNotFoundError,
)
from ingestion.selectors import scope_for
from ragapp.accounts.models import User
from ragapp.chat.errors import AnswerNotFoundError, ConversationNotFoundError

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]

NOT_FOUND = (
    AnswerNotFoundError,
    CollectionNotFoundError,
    ConversationNotFoundError,
    DocumentNotFoundError,
    PageNotFoundError,
    VersionNotFoundError,
)


def signed_in(view: View[P]) -> View[P]:
    """Send a stranger to the sign-in page; a fragment's request moves the whole page there."""

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if request.user.is_authenticated:
            return view(request, *args, **kwargs)
        return to_sign_in(request)

    return guarded


def admins_only(view: View[P]) -> View[P]:
    """Refuse everyone but admins."""

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not request.user.is_staff:
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return signed_in(guarded)


def to_sign_in(request: HttpRequest) -> HttpResponse:
    """The way to the sign-in page and back to where the person was."""
    if is_fragment(request):
        return HttpResponse(status=204, headers={"HX-Redirect": resolve_url("web:sign_in")})
    return redirect_to_login(request.get_full_path())


def is_fragment(request: HttpRequest) -> bool:
    """True where htmx asks for a part of a page."""
    return request.headers.get("HX-Request") == "true"


def person(request: HttpRequest) -> User:
    """The signed-in person; only behind `signed_in`."""
    return cast(User, request.user)


def scope_of(request: HttpRequest) -> AccessScope:
    """What the signed-in person may read now."""
    return scope_for(person(request))


@contextmanager
def not_found_as_404() -> Iterator[None]:
    """Absent and hidden look the same: 404."""
    try:
        yield
    except NOT_FOUND as exc:
        raise Http404 from exc
