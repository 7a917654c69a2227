"""What every page shows: icons, the theme, and the person's conversations by day."""

from datetime import datetime, timedelta
from typing import Any

from django import template
from django.http import HttpRequest
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ragapp.chat.models import Conversation
from ragapp.chat.services import conversations_of
from ragapp.web.appearance import theme_of

register = template.Library()

LIST_LIMIT = 100
_SHORT_S = 0.1


@register.simple_tag
def icon(name: str) -> SafeString:
    """A drawing from the sprite, hidden from screen readers: the control beside it carries the words."""
    return format_html(
        '<svg class="icon" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        static("ragapp/icons.svg"),
        name,
    )


@register.simple_tag(takes_context=True)
def theme(context: dict[str, Any]) -> str:
    """auto, light or dark."""
    return theme_of(_request(context))


@register.inclusion_tag("chat/_conversations.html", takes_context=True)
def conversation_list(context: dict[str, Any], out_of_band: bool = False) -> dict[str, Any]:
    """The person's conversations in groups: today, yesterday, older."""
    request = _request(context)
    current = context.get("conversation")
    found = conversations_of(request.user)[:LIST_LIMIT] if request and request.user.is_authenticated else ()
    return {"groups": _by_day(found), "current": current, "out_of_band": out_of_band}


@register.filter
def duration(seconds: float | None) -> str:
    """Seconds as a person says them: 12 ms, 0.4 s, 12 s, 3 min 05 s."""
    if seconds is None:
        return ""
    if seconds < _SHORT_S and isinstance(seconds, float):
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10 and isinstance(seconds, float):
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def _by_day(found: Any) -> list[tuple[str, list[Conversation]]]:
    groups: dict[str, list[Conversation]] = {}
    for conversation in found:
        groups.setdefault(_day(conversation.updated_at), []).append(conversation)
    return list(groups.items())


def _day(moment: datetime) -> str:
    today = timezone.localdate()
    day = timezone.localdate(moment)
    if day == today:
        return "Today"
    return "Yesterday" if day == today - timedelta(days=1) else "Older"


def _request(context: dict[str, Any]) -> HttpRequest | None:
    return context.get("request")
