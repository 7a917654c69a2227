"""The caller."""

from django.http import HttpRequest
from ninja import Router

from ragapp.api.auth import caller_of
from ragapp.api.errors import documented
from ragapp.api.schemas import PersonOut

router = Router(tags=["account"])


@router.get("/me", **documented({200: PersonOut}))
def get_me(request: HttpRequest) -> PersonOut:
    """For whom your key acts."""
    return PersonOut.of(caller_of(request))
