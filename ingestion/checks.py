"""Deployment mistakes that `manage.py check --deploy` tells."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Tags, Warning, register

from ingestion.parsing.sandbox import Layer, isolation


@register(Tags.security, deploy=True)
def parsers_are_isolated(app_configs: Any, **kwargs: Any) -> Sequence[CheckMessage]:
    """Files of strangers are read behind every layer that there is."""
    lacking = sorted(set(Layer) - isolation())
    if not lacking:
        return []
    return [
        Warning(
            f"This kernel gives the parsers no isolation of: {', '.join(lacking)}.",
            hint="Run on Linux 5.13 or newer with Landlock and seccomp; a container must not switch them off.",
            id="ingestion.W001",
        )
    ]
