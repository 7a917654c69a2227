"""Pages by their addresses, or those that a sitemap lists, through the one fetcher."""

from collections.abc import Iterator
from typing import Annotated
from urllib.parse import unquote

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ingestion.errors import SourceItemGoneError, SourceListingError, SourceTooLargeError, UrlRefusedError
from ingestion.parsing import media_types as types
from ingestion.sources.addresses import AddressPolicy
from ingestion.sources.base import Item, Kind
from ingestion.sources.config import SourcesConfig
from ingestion.sources.fetcher import Fetcher, FetchRules
from ingestion.sources.sitemap import MAX_BYTES, Sitemap, read_sitemap
from ingestion.sources.urls import Target

MAX_PAGES, MAX_SITEMAPS, MAX_TYPED = 10_000, 100, 500
_SITEMAP_TYPES = frozenset(
    {"application/xml", "text/xml", "application/gzip", "application/x-gzip", "text/plain", "application/octet-stream"}
)
PAGE_TYPES = frozenset(
    {types.HTML, "application/xhtml+xml", types.TEXT, types.MARKDOWN, types.CSV, types.JSON, types.PDF, types.RTF}
    | {"text/rtf", types.EPUB, types.ODT, types.DOCX, types.PPTX, types.XLSX}
)


def _lines(text: str) -> str:
    lines = dict.fromkeys(line.strip() for line in text.splitlines() if line.strip())
    if not lines:
        raise ValueError("Type at least one address.")
    if len(lines) > MAX_TYPED:
        raise ValueError(f"At most {MAX_TYPED} addresses; use a sitemap for more.")
    return "\n".join(lines)


class PagesSettings(BaseModel):
    """The addresses, one a line."""

    model_config = ConfigDict(frozen=True)

    urls: Annotated[
        str,
        AfterValidator(_lines),
        Field(title="Addresses, one a line", description="http or https.", json_schema_extra={"rows": 6}),
    ]


class SitemapSettings(BaseModel):
    """Where the sitemap is."""

    model_config = ConfigDict(frozen=True)

    sitemap: Annotated[
        str,
        Field(
            title="Address of the sitemap",
            description="Usually ends in /sitemap.xml. Pages on its host are taken, at most 10,000.",
            max_length=2_000,
        ),
    ]


class PagesConnector:
    """Typed addresses. Nothing tells cheaply whether a page has changed, so each is fetched and its bytes compared."""

    def __init__(self, settings: PagesSettings, *, fetcher: Fetcher, max_bytes: int) -> None:
        self._pages = _Pages(fetcher, max_bytes=max_bytes)
        try:
            self._targets = [fetcher.target(url) for url in settings.urls.splitlines()]
        except UrlRefusedError as exc:
            exc.field = "urls"
            raise

    def items(self) -> Iterator[Item]:
        """One for each address."""
        for text, target in {target.text: target for target in self._targets}.items():
            yield Item(key=text, name=page_name(target), fingerprint="")

    def content(self, item: Item) -> Iterator[bytes]:
        """The page."""
        return self._pages.content(item)


class SitemapConnector:
    """The pages of a sitemap's own host; a page with a date of change is fetched when that changes."""

    def __init__(self, settings: SitemapSettings, *, fetcher: Fetcher, max_bytes: int) -> None:
        self._fetcher = fetcher
        self._pages = _Pages(fetcher, max_bytes=max_bytes)
        try:
            self._start = fetcher.target(settings.sitemap)
        except UrlRefusedError as exc:
            exc.field = "sitemap"
            raise

    def items(self) -> Iterator[Item]:
        """Each page once."""
        seen: set[str] = set()
        for url, changed in self._listed():
            target = self._on_host(url)
            if target is None or target.text in seen:
                continue
            if len(seen) == MAX_PAGES:
                raise SourceTooLargeError(f"more than {MAX_PAGES} pages")
            seen.add(target.text)
            yield Item(key=target.text, name=page_name(target), fingerprint=changed[:100])

    def content(self, item: Item) -> Iterator[bytes]:
        """The page."""
        return self._pages.content(item)

    def _listed(self) -> Iterator[tuple[str, str]]:
        """The pages of the sitemap, or of those that it is the index of. An index of indexes is read too, once each."""
        waiting, read = [self._start.text], 0
        known = set(waiting)
        while waiting:
            if read == MAX_SITEMAPS:
                raise SourceTooLargeError(f"more than {MAX_SITEMAPS} sitemaps")
            read += 1
            found = self._read(waiting.pop(0))
            yield from found.pages
            more = [target.text for url in found.sitemaps if (target := self._on_host(url))]
            waiting += [text for text in dict.fromkeys(more) if text not in known]
            known.update(more)

    def _read(self, url: str) -> Sitemap:
        try:
            with self._fetcher.fetch(url, accept=_SITEMAP_TYPES, max_bytes=MAX_BYTES) as fetched:
                return read_sitemap(fetched.blocks)
        except SourceItemGoneError as exc:
            # One page that is gone is a deletion; a list that is gone says nothing.
            raise SourceListingError("the sitemap is not there") from exc

    def _on_host(self, url: str) -> Target | None:
        try:
            target = self._fetcher.target(url)
        except UrlRefusedError:
            return None
        return target if target.host == self._start.host else None


class _Pages:
    def __init__(self, fetcher: Fetcher, *, max_bytes: int) -> None:
        self._fetcher = fetcher
        self._max_bytes = max_bytes

    def content(self, item: Item) -> Iterator[bytes]:
        with self._fetcher.fetch(item.key, accept=PAGE_TYPES, max_bytes=self._max_bytes) as fetched:
            yield from fetched.blocks


def page_name(target: Target) -> str:
    """What the document is called: the last part of the path, or the host."""
    last = unquote(target.path.partition("?")[0]).rstrip("/").rpartition("/")[2].strip(". ")
    return last or target.host


def _fetcher(config: SourcesConfig) -> Fetcher:
    return Fetcher(
        FetchRules(
            addresses=AddressPolicy(config.url_import_networks),
            hosts=config.url_import_hosts,
            ports=config.url_import_ports,
        )
    )


PAGES = Kind(
    name="pages",
    title="Web pages",
    hint="Single pages and files, fetched again at each run.",
    switch="RAGAPP_URL_IMPORT",
    settings=PagesSettings,
    is_on=lambda config: config.url_import,
    connect=lambda settings, config: PagesConnector(settings, fetcher=_fetcher(config), max_bytes=config.max_bytes),
)
SITEMAP = Kind(
    name="sitemap",
    title="Sitemap",
    hint="All pages of a site that its sitemap lists.",
    switch="RAGAPP_URL_IMPORT",
    settings=SitemapSettings,
    is_on=lambda config: config.url_import,
    connect=lambda settings, config: SitemapConnector(settings, fetcher=_fetcher(config), max_bytes=config.max_bytes),
)
