"""The picture of one page of an original, for those who may open it. Knows no view.

Nothing is kept on disk: what is deleted leaves no preview behind. A browser keeps its own copy and asks whether it is
still good; that costs a look-up, and no drawing.
"""

from dataclasses import dataclass
from threading import BoundedSemaphore

from django.conf import settings

from ingestion.access import AccessScope
from ingestion.errors import PageNotFoundError, PagesBusyError
from ingestion.models import DocumentVersion
from ingestion.parsing import runner
from ingestion.parsing.media_types import IMAGES, PDF
from ingestion.selectors import document_get, version_path
from ragapp.versions import readable_version

# Pixels: a thumbnail beside text, a page to read, the same on a dense screen. Anything else would only fill caches.
WIDTHS = (480, 960, 1440)
CONTENT_TYPE = "image/png"
CACHE_CONTROL = "private, no-cache"
_USUAL_WIDTH = 960
# Each drawing is a process with a memory limit of its own; a page full of pictures must not start twenty.
_DRAWING = BoundedSemaphore(2)
# A request holds a thread while it waits.
_LONGEST_WAIT_S = 3.0


@dataclass(frozen=True)
class PageImage:
    """A page of a version at one of WIDTHS."""

    version: DocumentVersion
    page: int
    width: int

    @property
    def etag(self) -> str:
        """Changes with the bytes of the original, the page and the width, and with nothing else."""
        return f'"{self.version.sha256[:32]}-{self.page}-{self.width}"'

    def draw(self) -> bytes:
        """PNG. Raises PageNotFoundError, ParseError or StorageFullError. Blocks for seconds at worst."""
        path = version_path(self.version)
        if not path.is_file():
            raise PageNotFoundError("the original is gone")
        if not _DRAWING.acquire(timeout=_LONGEST_WAIT_S):
            raise PagesBusyError("too many pages are being drawn")
        try:
            return runner.render_page(path, page=self.page, width=self.width, config=settings.INGESTION)
        finally:
            _DRAWING.release()


def can_be_drawn(media_type: str) -> bool:
    """True where pages have a look of their own: PDFs and images."""
    return media_type == PDF or media_type in IMAGES


def page_image(
    document_id: str, *, page: int, width: int | None, version: int | None, scope: AccessScope, is_admin: bool
) -> PageImage:
    """The page, not drawn yet; `width` is rounded up to one of WIDTHS.

    Raises DocumentNotFoundError, VersionNotFoundError, or PageNotFoundError where its pages cannot be drawn.
    """
    document = document_get(document_id, scope=scope)
    shown = readable_version(document, number=version, is_admin=is_admin)
    if not can_be_drawn(shown.media_type) or not 1 <= page <= (shown.pages or 1):
        raise PageNotFoundError(f"page {page} of {document.pk} v{shown.number}")
    return PageImage(version=shown, page=page, width=_step(width or _USUAL_WIDTH))


def _step(width: int) -> int:
    return next((step for step in WIDTHS if step >= width), WIDTHS[-1])
