"""Admins make accounts and say who is in which group; everybody changes their own password."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.forms import PasswordChangeForm
from django.contrib.auth.models import Group
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from ragapp.accounts.errors import AccountError
from ragapp.accounts.models import User
from ragapp.accounts.services import NewPassword, group_names, password_reset, person_change, person_create
from ragapp.errors import entry_for
from ragapp.web.access import admins_only, person, signed_in


class PersonForm(forms.Form):
    """Rights of one person. Groups are names, separated by commas; a new name makes the group."""

    is_admin = forms.BooleanField(required=False)
    is_active = forms.BooleanField(required=False)
    groups = forms.CharField(required=False, max_length=1_000)


class NewPersonForm(PersonForm):
    """And the name to sign in with."""

    username = forms.CharField(max_length=150)


@never_cache
@require_http_methods(["GET", "POST"])
@admins_only
def index(request: HttpRequest) -> HttpResponseBase:
    """Everybody; a POST makes an account and shows its first password."""
    form = NewPersonForm(request.POST or None)
    issued: NewPassword | None = None
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            issued = person_create(
                username=data["username"], is_admin=data["is_admin"], groups=group_names(data["groups"])
            )
        except AccountError as exc:
            form.add_error("username", entry_for(exc.code).sentence)
        else:
            form = NewPersonForm()
    return _page(request, form=form, issued=issued)


@never_cache
@require_http_methods(["GET", "POST"])
@admins_only
def change(request: HttpRequest, user_id: UUID) -> HttpResponseBase:
    """One person's rights."""
    user = get_object_or_404(User, pk=user_id)
    names = ", ".join(user.groups.order_by("name").values_list("name", flat=True))
    form = PersonForm(
        request.POST or None, initial={"is_admin": user.is_staff, "is_active": user.is_active, "groups": names}
    )
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            person_change(
                user, is_admin=data["is_admin"], is_active=data["is_active"], groups=group_names(data["groups"])
            )
        except AccountError as exc:
            form.add_error(None, entry_for(exc.code).sentence)
        else:
            messages.success(request, f"{user.username} was changed. It holds from their next request on.")
            return redirect("web:people")
    context = {"form": form, "subject": user, "known_groups": _known_groups()}
    return render(request, "people/change.html", context, status=422 if form.errors else 200)


@never_cache
@require_http_methods(["GET", "POST"])
@admins_only
def reset(request: HttpRequest, user_id: UUID) -> HttpResponseBase:
    """Ask whether it is meant, then show a new password once."""
    user = get_object_or_404(User, pk=user_id)
    if request.method == "GET":
        return render(request, "people/reset.html", {"subject": user})
    return _page(request, form=NewPersonForm(), issued=password_reset(user))


@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "POST"])
@signed_in
def password(request: HttpRequest) -> HttpResponseBase:
    """Change one's own password; this session stays, all others end."""
    form = PasswordChangeForm(person(request), request.POST or None)
    if request.method == "POST" and form.is_valid():
        update_session_auth_hash(request, form.save())
        messages.success(request, "Your password was changed.")
        return redirect("web:chat")
    return render(request, "people/password.html", {"form": form}, status=422 if form.errors else 200)


def _page(request: HttpRequest, *, form: NewPersonForm, issued: NewPassword | None) -> HttpResponseBase:
    context: dict[str, Any] = {
        "form": form,
        "issued": issued,
        "people": User.objects.order_by("username").prefetch_related("groups"),
        "known_groups": _known_groups(),
    }
    return render(request, "people/page.html", context, status=422 if form.errors else 200)


def _known_groups() -> list[str]:
    return list(Group.objects.order_by("name").values_list("name", flat=True))
