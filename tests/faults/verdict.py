"""What is left once the dust has settled: `python -m tests.faults.verdict ACTOR.json SECONDS` prints one JSON object.

lost: acknowledged uploads without a row, that nobody deleted. open: not settled after so many seconds.
undead: acknowledged deletions with a row.
"""

import json
import sys
import time
from pathlib import Path

import django

django.setup()

from ingestion.models import Document, DocumentState, Erasure  # noqa: E402

_OPEN = [DocumentState.QUEUED, DocumentState.PROCESSING, DocumentState.DELETING]


def main() -> None:
    """Wait until everything is settled, or too long."""
    acted = json.loads(Path(sys.argv[1]).read_text())
    began = time.monotonic()
    # What a killed worker held is taken over when its lease ends; what an outage delayed, when it is due.
    while time.monotonic() - began < float(sys.argv[2]):
        stale = Document.objects.filter(index_stale=True).exists()
        if not stale and not Document.objects.filter(state__in=_OPEN).exists():
            break
        time.sleep(0.5)
    seconds = time.monotonic() - began
    rows = {str(key): state for key, state in Document.objects.values_list("pk", "state")}
    gone = set(acted["deleted"]) | {str(key) for key in Erasure.objects.values_list("document_id", flat=True)}
    codes: dict[str, int] = {}
    for code in Document.objects.filter(state=DocumentState.FAILED).values_list("error_code", flat=True):
        codes[code] = codes.get(code, 0) + 1
    print(
        json.dumps(
            {
                "uploaded": len(acted["uploaded"]),
                "deleted": len(acted["deleted"]),
                "lost": sum(key not in rows and key not in gone for key in acted["uploaded"]),
                "undead": sum(key in rows for key in acted["deleted"]),
                "open": sum(state in _OPEN for state in rows.values()),
                "ready": sum(state == DocumentState.READY for state in rows.values()),
                "failed": codes,
                "settled_s": round(seconds, 1),
                "refused": acted["errors"],
            }
        )
    )


if __name__ == "__main__":
    main()
