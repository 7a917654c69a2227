"""Signing in and out. A wrong name and a wrong password read the same, and guessing is slowed down."""

import hashlib

from django.contrib.auth import logout
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

FAILURES_ALLOWED = 5
WINDOW_S = 60


class SignIn(LoginView):
    """Django's own, behind a count of failures per name and address."""

    template_name = "registration/sign_in.html"
    redirect_authenticated_user = True

    def post(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        """Refuse to even try once the failures of the last minute are used up."""
        if cache.get(_key(request), 0) >= FAILURES_ALLOWED:
            context = self.get_context_data(form=AuthenticationForm(request), too_many=True)
            return self.render_to_response(context, status=429, headers={"Retry-After": str(WINDOW_S)})
        return super().post(request, *args, **kwargs)

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        """Count the failure."""
        key = _key(self.request)
        cache.add(key, 0, timeout=WINDOW_S)
        cache.incr(key)
        return self.render_to_response(self.get_context_data(form=form), status=422)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Forget the failures."""
        cache.delete(_key(self.request))
        return super().form_valid(form)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session."""
    logout(request)
    return redirect("web:sign_in")


def _key(request: HttpRequest) -> str:
    who = f"{request.POST.get('username', '').casefold()}|{request.META.get('REMOTE_ADDR', '')}"
    return "sign-in-failures:" + hashlib.sha256(who.encode()).hexdigest()
