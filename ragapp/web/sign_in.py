"""Signing in and out. A wrong name and a wrong password read the same, and guessing is slowed down."""

import hashlib
import unicodedata
from contextlib import suppress

from django.contrib.auth import logout
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

WINDOW_S = 60


class SignIn(LoginView):
    """Django's own, behind counts of the last minute's attempts; success forgets those of that name there.

    | counted | attempts a minute |
    |---|---|
    | a name from an address | 5 |
    | any names from an address | 20 |
    | a name from anywhere | 50 |
    """

    template_name = "registration/sign_in.html"
    redirect_authenticated_user = True

    def post(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        """Count first, then try: guesses sent at once must not overtake the count."""
        name, address = _counted_name(request), request.META.get("REMOTE_ADDR", "")
        counts = [_attempts(f"{name}|{address}") <= 5, _attempts(f"|{address}") <= 20, _attempts(f"{name}|") <= 50]
        if not all(counts):
            context = self.get_context_data(form=AuthenticationForm(request), too_many=True)
            return self.render_to_response(context, status=429, headers={"Retry-After": str(WINDOW_S)})
        return super().post(request, *args, **kwargs)

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        """Wrong name or wrong password."""
        return self.render_to_response(self.get_context_data(form=form), status=422)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Forget the attempts of this name from here, and that this one was made: many may share an address."""
        name, address = _counted_name(self.request), self.request.META.get("REMOTE_ADDR", "")
        cache.delete(_key(f"{name}|{address}"))
        for who in (f"|{address}", f"{name}|"):
            with suppress(ValueError):  # the minute is over
                cache.decr(_key(who))
        return super().form_valid(form)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session."""
    logout(request)
    return redirect("web:sign_in")


def _counted_name(request: HttpRequest) -> str:
    """The name as Django's form reads it: blanks stripped, NFKC. Another spelling is no other name."""
    given = request.POST.get("username", "")[:1_000]
    return unicodedata.normalize("NFKC", given).strip().casefold()


def _attempts(who: str) -> int:
    """This attempt's number within the minute that the first one began."""
    key = _key(who)
    cache.add(key, 0, timeout=WINDOW_S)
    try:
        return cache.incr(key)
    except ValueError:  # it ended between the two calls
        cache.set(key, 1, timeout=WINDOW_S)
        return 1


def _key(who: str) -> str:
    return "sign-in-attempts:" + hashlib.sha256(who.encode()).hexdigest()
