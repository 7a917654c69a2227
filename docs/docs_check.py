"""What the documentation names exists: linked files and headings, make targets, commands, settings.

Run by `make docs-check`. Whether generated pages equal the code is `manage.py docs --check`.
"""

import pkgutil
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import django.contrib.auth.management.commands as auth_commands  # noqa: E402
import django.core.management.commands as core_commands  # noqa: E402

import ragapp.management.commands as our_commands  # noqa: E402
from ragapp.config import PREFIX, Config  # noqa: E402

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)
FENCE = re.compile(r"```.*?```", re.DOTALL)


def main() -> int:
    """Print every name that leads nowhere; 1 if there is one."""
    problems = [f"{page.relative_to(ROOT)}: {what}" for page in PAGES for what in _problems(page)]
    print("\n".join(problems) or f"{len(PAGES)} pages: every link, target, command and setting exists.")
    return 1 if problems else 0


def _problems(page: Path) -> Iterator[str]:
    if not page.exists():
        yield "is missing"
        return
    text = page.read_text()
    yield from _dead_links(page, FENCE.sub("", text))
    code = "\n".join(CODE.findall(text))
    yield from _unknown(r"\bmake (?:[A-Z_]+=\S+ )*([a-z][a-z-]*)", code, known=_make_targets(), kind="make target")
    yield from _unknown(r"\bmanage\.py ([a-z_]+)", code, known=_commands(), kind="manage.py command")
    yield from _unknown(rf"\b({PREFIX}[A-Z_]+)\b", text, known=_settings(), kind="setting")


def _dead_links(page: Path, text: str) -> Iterator[str]:
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name) if name else page
        if not file.exists():
            yield f"links to {target}, which is not there"
        elif anchor and anchor not in _anchors(file):
            yield f"links to {target}, a heading that is not there"


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ +(.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _unknown(pattern: str, text: str, *, known: set[str], kind: str) -> Iterator[str]:
    for name in sorted(set(re.findall(pattern, text)) - known):
        yield f"names the {kind} {name}, which does not exist"


def _make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def _commands() -> set[str]:
    packages = (core_commands, auth_commands, our_commands)
    return {module.name for package in packages for module in pkgutil.iter_modules(package.__path__)}


def _settings() -> set[str]:
    deployment = re.findall(rf"^#?({PREFIX}[A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    return {f"{PREFIX}{field}".upper() for field in Config.model_fields} | set(deployment)


if __name__ == "__main__":
    sys.exit(main())
