"""`python -m tests.provision`: everything that tests need and this machine lacks, before the first test runs."""

import sys

from tests.provision import chromium, postgres, qdrant, valkey, weights
from tests.provision.missing import MissingPartError

PARTS = (postgres, valkey, qdrant, chromium, weights)


def main() -> int:
    """Fetch all parts; say about every missing one, not only the first."""
    missing = []
    for part in PARTS:
        try:
            part.ensure()
        except MissingPartError as exc:
            missing.append(str(exc))
    for message in missing:
        print(f"\n{message}", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
