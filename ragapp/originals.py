"""The original of a document on its way back to a person. Knows no view."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

BLOCK_BYTES = 256 * 1024


async def blocks_of_original(path: Path) -> AsyncIterator[bytes]:
    """Asynchronous, because Django would read the whole of a synchronous one into memory under ASGI."""
    file = await asyncio.to_thread(path.open, "rb")
    try:
        while block := await asyncio.to_thread(file.read, BLOCK_BYTES):
            yield block
    finally:
        file.close()
