"""NinjaAPI whose every address answers in JSON: unknown ones, wrong methods and errors included."""

from asyncio import iscoroutinefunction
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver, re_path
from django.views.decorators.csrf import csrf_exempt
from ninja import NinjaAPI
from ninja.operation import Operation

from ragapp.api.auth import ApiKeyAuth
from ragapp.api.errors import error_response, handle_errors
from ragapp.errors import entry_for

View = Callable[..., HttpResponseBase]


class JsonApi(NinjaAPI):
    """Ninja routes 405 and unknown addresses past its own exception handlers; here they get the one error body."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(docs_decorator=documentation, **kwargs)
        handle_errors(self)

    def get_openapi_operation_id(self, operation: Operation) -> str:
        """The view's name: clients are generated with it."""
        name: str = operation.view_func.__name__
        return name

    @property
    def urls(self) -> tuple[list[URLResolver | URLPattern], str, str]:
        """For `path("…", api.urls)`."""
        patterns, app_name, namespace = super().urls
        told = [_told(pattern) if isinstance(pattern, URLPattern) else pattern for pattern in patterns]
        return [*told, re_path("", _unknown, name="unknown")], app_name, namespace


def documentation(view: View) -> View:
    """The OpenAPI page for whoever is signed in, and the schema also for a key."""

    @wraps(view)
    def gated(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated or ApiKeyAuth()(request):
            return view(request, *args, **kwargs)
        if request.resolver_match and request.resolver_match.url_name == "openapi-view":
            return redirect_to_login(request.get_full_path())
        return error_response(entry_for("not_signed_in"))

    return gated


@csrf_exempt
def _unknown(request: HttpRequest) -> HttpResponse:
    return error_response(entry_for("not_found"))


def _told(pattern: URLPattern) -> URLPattern:
    view: Any = pattern.callback

    @wraps(view)
    def sync_view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return _in_json(view(request, *args, **kwargs))
        except Http404:
            return _unknown(request)

    @wraps(view)
    async def async_view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return _in_json(await view(request, *args, **kwargs))

    told = async_view if iscoroutinefunction(view) else sync_view
    return URLPattern(pattern.pattern, told, pattern.default_args, pattern.name)


def _in_json(response: HttpResponseBase) -> HttpResponseBase:
    if response.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = response["Allow"]
        response = error_response(entry_for("method_not_allowed"))
        response["Allow"] = allowed
    # Answers to one key must not lie in a shared cache.
    response.headers.setdefault("Cache-Control", "no-store")
    return response
