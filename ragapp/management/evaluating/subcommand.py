"""A part of `manage.py evaluate`, and what several of them read from the command line."""

import argparse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.management.base import CommandParser

Options = Mapping[str, Any]


@dataclass(frozen=True)
class Subcommand:
    """`run` gives the lines to print."""

    help: str
    add_arguments: Callable[[CommandParser], None]
    run: Callable[[Options], Iterable[str]]


def positive(text: str) -> int:
    """A number above 0."""
    number = int(text)
    if number <= 0:
        raise argparse.ArgumentTypeError("above 0")
    return number


def add_json_argument(parser: CommandParser) -> None:
    """`--json`."""
    parser.add_argument("--json", action="store_true", help="print the whole of it, by question too")
