"""Question sets and what was measured on them."""

from django.apps import AppConfig


class EvaluationConfig(AppConfig):
    """The evaluation application."""

    name = "ragapp.evaluation"
    label = "evaluation"
