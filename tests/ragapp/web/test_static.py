"""What the browser is given: scripts that are what VENDOR.md says, and nothing that the policy would block."""

import hashlib
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.template.loader import get_template

STATIC = Path(settings.BASE_DIR) / "ragapp" / "web" / "static" / "ragapp"
TEMPLATES = sorted((Path(settings.BASE_DIR) / "templates").rglob("*.html"))


@pytest.fixture(autouse=True)
def _database() -> None:
    """None of these needs one."""


def test_vendored_scripts_are_those_of_the_list() -> None:
    rows = re.findall(r"^\| (\S+\.js) \|.*\| ([0-9a-f]{64}) \|$", (STATIC / "vendor" / "VENDOR.md").read_text(), re.M)
    assert {name for name, _ in rows} == {path.name for path in (STATIC / "vendor").glob("*.js")}
    for name, digest in rows:
        assert hashlib.sha256((STATIC / "vendor" / name).read_bytes()).hexdigest() == digest


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_holds_nothing_inline_and_nothing_from_elsewhere(path: Path) -> None:
    source = path.read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|hx-on|javascript:|\|safe\b", source)
    assert not re.search(r"(?:src|href|action)=\"(?:https?:)?//", source)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_parses_and_its_files_exist(path: Path) -> None:
    get_template(str(path.relative_to(Path(settings.BASE_DIR) / "templates")))
    for name in re.findall(r"{% static '([^']+)' %}", path.read_text()):
        assert (STATIC.parent / name).is_file(), name


def test_every_icon_that_a_template_asks_for_is_drawn() -> None:
    drawn = set(re.findall(r'<symbol id="([^"]+)"', (STATIC / "icons.svg").read_text()))
    asked = {name for path in TEMPLATES for name in re.findall(r'{% icon "([^"]+)" %}', path.read_text())}
    assert asked <= drawn


def test_every_form_that_posts_carries_its_token() -> None:
    for path in TEMPLATES:
        for form in re.findall(r"<form[^>]*method=\"post\".*?</form>", path.read_text(), re.S):
            assert "{% csrf_token %}" in form, path
