"""Light, dark or as the system has it: one cookie, so that the first paint is right and no script is needed."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

COOKIE = "theme"
THEMES = ("auto", "light", "dark")
_A_YEAR_S = 31_536_000


@require_POST
def choose(request: HttpRequest) -> HttpResponse:
    """Remember the choice in this browser and go back."""
    back = request.POST.get("next", "/")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}):
        back = "/"
    response = HttpResponseRedirect(back)
    theme = request.POST.get("theme", "auto")
    if theme in THEMES:
        response.set_cookie(COOKIE, theme, max_age=_A_YEAR_S, samesite="Lax", secure=settings.SESSION_COOKIE_SECURE)
    return response


def theme_of(request: HttpRequest | None) -> str:
    """The chosen theme; a foreign value in the cookie counts as none."""
    chosen = request.COOKIES.get(COOKIE, "auto") if request is not None else "auto"
    return chosen if chosen in THEMES else "auto"
