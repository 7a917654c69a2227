"""For whoever watches the server: is the process alive, and would it serve a question?"""

from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from ragapp import wiring

PARTS = ("database", "index", "model")


@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """The process lives. Asks nothing of any other part."""
    return JsonResponse({"status": "alive"})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Every part by name; 503 while one of them is not ready."""
    failing = wiring.readiness()
    parts = dict.fromkeys(PARTS, "ready") | failing
    status = "not ready" if failing else "ready"
    return JsonResponse({"status": status, "parts": parts}, status=503 if failing else 200)
