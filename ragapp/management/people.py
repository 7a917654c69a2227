"""For whom a command acts."""

from django.core.management.base import CommandError, CommandParser

from ragapp.accounts.models import User


def add_user_argument(parser: CommandParser) -> None:
    """`--user NAME`."""
    parser.add_argument("--user", default="", help="act as this person (default: the first admin)")


def acting_user(username: str) -> User:
    """The named person, or the first admin. Raises CommandError."""
    people = User.objects.filter(is_active=True)
    user = (
        people.filter(username=username).first()
        if username
        else people.filter(is_staff=True).order_by("date_joined").first()
    )
    if user is None:
        raise CommandError(f"There is no active account {username!r}." if username else "No admin. Run: make run")
    return user
