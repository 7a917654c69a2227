"""All URLs. The API and the pages each bring their own."""

from django.urls import include, path

from ragapp.api.v1 import api
from ragapp.web import health

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("api/v1/", api.urls),
    path("", include("ragapp.web.urls")),
]
