"""Model output and passages as safe HTML. Rendered and sanitised here; the browser gets nothing to interpret.

Raw HTML is text, images do not exist, links lead nowhere by themselves and show their host. Knows no request.
"""

import re
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import nh3
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import OptionsDict

Env = MutableMapping[str, Any]

_MARKER = re.compile(r"\[(\d{1,2}(?:\s*,\s*\d{1,2})*)\](?!\()")
_UNSUPPORTED = re.compile(r"\[\?\](?!\()")
_TAGS = {
    "a", "blockquote", "br", "code", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "s", "span",
    "strong", "sup", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_ATTRIBUTES = {"a": {"href", "class", "title", "target", "aria-label"}, "span": {"class", "title"}, "ol": {"start"}}
_LINK_SCHEMES = {"http", "https", "mailto"}
NO_SUPPORT = "No passage supports this sentence. Check it before you rely on it."
GONE = "This source was removed, or you may no longer read it."


def render_answer(text: str, *, links: Mapping[int, str | None], settled: bool = True) -> SafeString:
    """An answer. `links` gives the page behind each [n], None for a source without one.

    In a settled answer every marker was valid once, so a number that `links` lacks is a source that is gone;
    while it is unsettled such a marker is plain text.
    """
    return _clean(_MARKDOWN.render(text, {"links": dict(links), "settled": settled}))


def render_passage(text: str) -> SafeString:
    """A passage of a Markdown, HTML or Word document."""
    return _clean(_MARKDOWN.render(text, {}))


def excerpt(text: str) -> str:
    """A quote as one line of plain words: without the marks of headings, tables and emphasis."""
    bare = re.sub(r"^\s*#{1,6}\s+|\*\*|^\s*\|\s*(?:[-:]+\s*\|\s*)*|\s*\|\s*$", "", text, flags=re.MULTILINE)
    return " ".join(re.sub(r"\s*\|\s*", " · ", bare).split())


def heading_path(heading: str) -> str:
    """The headings above a passage, as the page sets them apart."""
    return heading.replace(" > ", " · ")


def markers_of(text: str) -> set[int]:
    """The numbers that the text cites."""
    return {int(n) for found in _MARKER.findall(text) for n in found.split(",")}


def _clean(html: str) -> SafeString:
    # The parser is trusted to escape, and checked all the same: nh3 lets only the listed tags through.
    cleaned = nh3.clean(
        html,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes=_LINK_SCHEMES,
        link_rel="nofollow noopener noreferrer",
    )
    return mark_safe(cleaned)  # noqa: S308 - the sanitiser's output is what may be marked safe


def _citation(state: StateInline, silent: bool) -> bool:
    if "links" not in state.env:
        return False
    found = _MARKER.match(state.src, state.pos)
    if found is None:
        return False
    if not silent:
        for number in found.group(1).split(","):
            token = state.push("citation", "", 0)
            token.meta = {"n": int(number)}
    state.pos = found.end()
    return True


def _unsupported(state: StateInline, silent: bool) -> bool:
    found = _UNSUPPORTED.match(state.src, state.pos) if state.env.get("settled") else None
    if found is None:
        return False
    if not silent:
        state.push("unsupported", "", 0)
    state.pos = found.end()
    return True


def _render_unsupported(self: RendererHTML, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Env) -> str:
    return f'<span class="no-support" title="{NO_SUPPORT}">not in the sources</span>'


def _render_citation(self: RendererHTML, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Env) -> str:
    n = tokens[idx].meta["n"]
    if n in env["links"]:
        url = env["links"][n]
        if url is None:
            return f'<span class="cite" title="Source {n}">{n}</span>'
        return f'<a class="cite" href="{escape(url)}" aria-label="Open source {n}">{n}</a>'
    if env["settled"]:
        return f'<span class="cite cite-gone" title="{GONE}">{n}</span>'
    return f"[{n}]"


def _render_link_open(self: RendererHTML, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Env) -> str:
    href = str(tokens[idx].attrGet("href") or "")
    parts = urlsplit(href) if "://" in href or href.startswith("mailto:") else None
    host = (parts.hostname or parts.path) if parts and parts.scheme in _LINK_SCHEMES else ""
    env.setdefault("hosts", []).append(host)
    return f'<a class="outside" target="_blank" href="{escape(href)}">' if host else ""


def _render_link_close(self: RendererHTML, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Env) -> str:
    host = env["hosts"].pop()
    return f' <span class="host">{escape(host)}</span></a>' if host else ""


def _render_heading_open(self: RendererHTML, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Env) -> str:
    return f"<h{_level(tokens[idx])}>"


def _render_heading_close(self: RendererHTML, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Env) -> str:
    return f"</h{_level(tokens[idx])}>\n"


def _level(token: Token) -> int:
    """Under the page's own h1 and the article's h2."""
    return min(int(token.tag[1:]) + 2, 6)


def _build() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    # A "[1]: …" line is a citation here, never the hidden definition of a link.
    markdown.disable(["image", "reference", "html_block", "html_inline"])
    markdown.inline.ruler.before("link", "citation", _citation)
    markdown.inline.ruler.before("link", "unsupported", _unsupported)
    for name, rule in (
        ("citation", _render_citation),
        ("unsupported", _render_unsupported),
        ("link_open", _render_link_open),
        ("link_close", _render_link_close),
        ("heading_open", _render_heading_open),
        ("heading_close", _render_heading_close),
    ):
        markdown.add_render_rule(name, rule)
    return markdown


_MARKDOWN = _build()
