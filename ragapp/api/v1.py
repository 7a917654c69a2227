"""REST API, version 1. Mounted at /api/v1/."""

from ragapp.api import (
    ask,
    collections,
    conversations,
    documents,
    erasures,
    feedback,
    maintenance,
    pages,
    people,
    search,
)
from ragapp.api.application import JsonApi
from ragapp.api.auth import ApiKeyAuth

api = JsonApi(
    title="ragapp",
    version="1",
    description=(
        "Ask a company's own documents, and hand documents in.\n\n"
        "Every request carries `Authorization: Bearer rag_…`. Every error has the body `ErrorBody` with a stable "
        "code. What you may not see does not exist for you: 404."
    ),
    urls_namespace="ragapp-v1",
    auth=ApiKeyAuth(),
)

for module in (
    people,
    collections,
    documents,
    pages,
    erasures,
    search,
    ask,
    conversations,
    feedback,
    maintenance,
):
    api.add_router("", module.router)
