"""Every error of the API has one body, made from the one table; internals and input never reach it.

ApiError
├── NotAllowedError       not_allowed
├── InvalidRequestError   invalid_request, with what is wrong where
└── AnswerFailedError     the code with which the answer failed
"""

import logging
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any, cast

from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError
from pydantic import BaseModel, Field

from ingestion.errors import IngestionError
from ragapp.chat.errors import ChatError
from ragapp.errors import ErrorEntry, entry_for, error_body
from ragapp.gateway.errors import GatewayError

logger = logging.getLogger(__name__)

_MAX_DETAILS = 20
_FIELD_LIMIT = 100
_RETRY_AFTER_S = 5
# `api.urls` and the schema both know these: every route can answer with them.
_EVERYWHERE = ("not_signed_in", "internal_error")


class ErrorDetail(BaseModel):
    """What is wrong with one part of a request."""

    field: str = Field(description="Where: a field's path with dots, or empty for the whole request.")
    problem: str = Field(description="What is expected there. It never repeats what was sent.")


class ErrorOut(BaseModel):
    """An error as a program and a person want it."""

    code: str = Field(description="Stable; docs/errors.md lists them all.")
    message: str = Field(description="A sentence for a person.")
    retryable: bool = Field(description="The same request may succeed later, unchanged.")
    details: list[ErrorDetail] | None = Field(None, description="With invalid_request only.")


class ErrorBody(BaseModel):
    """The body of every status from 400 up."""

    error: ErrorOut


class ApiError(Exception):
    """Root. `code` is stable and public."""

    code = "internal_error"


class NotAllowedError(ApiError):
    """The caller sees the thing but may not do this to it."""

    code = "not_allowed"


class InvalidRequestError(ApiError):
    """The request's form is wrong in a way that the schema cannot say."""

    code = "invalid_request"

    def __init__(self, details: Sequence[ErrorDetail] = ()) -> None:
        super().__init__()
        self.details = tuple(details)


class AnswerFailedError(ApiError):
    """The answer ended in an error."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def code_of(exc: Exception) -> str:
    """The public code of an exception of ours; any other is an internal error."""
    if isinstance(exc, ApiError | ChatError | GatewayError | IngestionError):
        return exc.code
    return "internal_error"


def detailed_body(entry: ErrorEntry, details: Sequence[ErrorDetail]) -> dict[str, Any]:
    """An entry as the JSON values of ErrorBody."""
    body = error_body(entry)
    if details:
        body["error"]["details"] = [detail.model_dump() for detail in details[:_MAX_DETAILS]]
    return body


def error_response(entry: ErrorEntry, *, details: Sequence[ErrorDetail] = ()) -> HttpResponse:
    """An entry as a response."""
    response = JsonResponse(detailed_body(entry, details), status=entry.status)
    if entry.status == HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = "Bearer"
    if entry.status == HTTPStatus.SERVICE_UNAVAILABLE:
        response["Retry-After"] = str(_RETRY_AFTER_S)
    return response


def documented(success: dict[int, Any], *codes: str) -> dict[str, Any]:
    """Arguments of a route: its responses in the schema, with an example of each error that it can answer."""
    by_status: dict[int, dict[str, Any]] = {}
    for code in (*codes, *_EVERYWHERE):
        entry = entry_for(code)
        examples = by_status.setdefault(entry.status, {})
        examples[code] = {"summary": entry.sentence, "value": error_body(entry)}
    extra = {
        status: {
            "description": "Code: " + ", ".join(f"`{code}`" for code in examples),
            "content": {"application/json": {"examples": examples}},
        }
        for status, examples in by_status.items()
    }
    return {
        "response": success | dict.fromkeys(by_status, ErrorBody),
        "openapi_extra": {"responses": extra},
    }


def handle_errors(api: NinjaAPI) -> None:
    """Register a handler for everything that can be raised; the most derived class wins."""
    api.add_exception_handler(Exception, _on_exception)
    api.add_exception_handler(ValidationError, _on_validation_error)
    api.add_exception_handler(AuthenticationError, _answering("not_signed_in"))
    api.add_exception_handler(Http404, _answering("not_found"))
    api.add_exception_handler(RequestDataTooBig, _answering("request_too_large"))
    # Ninja's HttpError here is its word for JSON that does not parse.
    for unreadable in (HttpError, BadRequest, SuspiciousOperation, MultiPartParserError, UnreadablePostError):
        api.add_exception_handler(unreadable, _on_unreadable)


def _answering(code: str) -> Any:
    def handler(request: HttpRequest, exc: Any) -> HttpResponse:
        return error_response(entry_for(code))

    return handler


def _on_exception(request: HttpRequest, exc: Any) -> HttpResponse:
    code = code_of(exc)
    entry = entry_for(code)
    if entry.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("%s %s: %s", request.method, request.path, code, exc_info=exc)
    return error_response(entry, details=exc.details if isinstance(exc, InvalidRequestError) else ())


def _on_unreadable(request: HttpRequest, exc: Any) -> HttpResponse:
    detail = ErrorDetail(field="", problem="The body cannot be read as the declared content type.")
    return error_response(entry_for("invalid_request"), details=[detail])


def _on_validation_error(request: HttpRequest, exc: Any) -> HttpResponse:
    # Pydantic's sentences name what is expected; for the types that our schemas use, none repeats its input.
    errors = cast(Iterable[dict[str, Any]], exc.errors)
    details = [
        ErrorDetail(field=_field(error["loc"]), problem=str(error["msg"]).removeprefix("Value error, "))
        for error in errors
    ]
    return error_response(entry_for("invalid_request"), details=details)


def _field(loc: Sequence[object]) -> str:
    """`("body", "body", "question")` is `question`: the source and the parameter's name mean nothing to a client."""
    source, *rest = loc
    if source in {"body", "form", "query"} and len(rest) > 1:
        rest = rest[1:]
    return ".".join(str(part) for part in rest)[:_FIELD_LIMIT]
