"""Fetch the configured models' weights, where they are not on disk yet."""

import os
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ragapp import weights, wiring


class Command(BaseCommand):
    """`manage.py fetch_models`."""

    help = "Fetch and verify the weights of the configured models."

    def handle(self, *args: Any, **options: Any) -> None:
        # Weights are public, and a container's user reads those that were fetched here.
        os.umask(0o022)
        config = wiring.config()
        wanted = [config.embedding_model] if not config.embedding_url else []
        wanted += [config.chat_model] if not config.chat_url else []
        wanted += [config.reranker_model] if config.reranker_model else []
        for name in wanted:
            try:
                weights.ensure(name, config.weights_dir)
            except weights.WeightsError as exc:
                raise CommandError(str(exc)) from exc
