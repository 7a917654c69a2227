"""What an operator is told before it matters."""

from unittest.mock import patch

from ingestion import checks
from ingestion.parsing.sandbox import Layer


def test_a_kernel_with_every_layer_is_no_warning() -> None:
    with patch.object(checks, "isolation", lambda: frozenset(Layer)):
        assert checks.parsers_are_isolated(None) == []


def test_a_layer_that_is_lacking_is_named() -> None:
    with patch.object(checks, "isolation", lambda: frozenset(Layer) - {Layer.CALLS}):
        [warning] = checks.parsers_are_isolated(None)
    assert "calls" in warning.msg
