"""What every page keeps to: no inline code, keys from one table, templates that say their context."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from revops.web.keyboard import KEYS, keys_for

ROOT = Path(__file__).parents[3]
TEMPLATES = sorted([*(ROOT / "templates").rglob("*.html"), *(ROOT / "revops/api/templates").rglob("*.html")])
WIDTH = 120
SCRIPTS = "".join(path.read_text() for path in (ROOT / "static/js").glob("*.js"))
MARKUP = "".join(path.read_text() for path in TEMPLATES)
FORMS = (ROOT / "revops/web/forms.py").read_text()


def test_no_template_carries_inline_code_or_style() -> None:
    for path in TEMPLATES:
        text = path.read_text()
        assert not re.search(r"<style|<script(?![^>]*\bsrc=)|\son[a-z]+=|\sstyle=|javascript:|hx-on|hx-vals='js:", text), path
        assert "|safe" not in text, path
        assert not re.search(r"https?://", text), path


def test_every_template_opens_with_its_context() -> None:
    for path in TEMPLATES:
        opening = [line for line in path.read_text().splitlines() if not line.startswith("{% extends")]
        assert opening[0].startswith("{# "), path


def test_markup_can_be_read() -> None:
    """Indentation is `djhtml --check`'s, in `make test`; the width (of styles and scripts too) and one structural tag a line
    are checked here."""
    crowded = re.compile(r"<(section|table|thead|tbody|tr|ul|ol|dl|form|fieldset|main|aside)\b[^<]*<")
    found = []
    for path in [*TEMPLATES, *(ROOT / "static").rglob("*.css"), *(ROOT / "static").rglob("*.js")]:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if len(line) > WIDTH or crowded.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}")
    assert not found, "\n".join(found)


DRAWN_ONCE = {
    r'class="badge\b': "c-badge, c-state",
    r'class="note[ "]': "c-note, c-next-step",
    r'class="facts\b|<dl class="[^"]*\bfacts\b': "c-facts and c-fact",
    r'class="crumbs\b': "c-crumb",
    r'class="empty\b': "c-empty",
    r'class="chip"': "c-chip",
    r'class="dot\b': "c-dot",
    r'<details class="inline"': "c-pop",
    r'class="signature\b': "c-signature",
    r'class="mark"': "c-moment",
    r'class="money\b|\{% minor\b': "c-money",
    r"<time\b": "c-time or |instant",
    r'class="field"|<label for=': "{{ field.as_field_group }}",
    r'<table class="grid (?!risk-table|change)': "c-table",
    r'<section class="card" aria-labelledby': "c-card",
    r'<nav class="pager"': "c-pager",
    r'<svg viewBox="0 0 20 20"': "c-brand",
}
"""Markup that one component draws -> the component. It stands in `templates/components` (fields: `templates/forms`) alone."""


def drawn_by_hand(markup: str) -> list[str]:
    """The components that this markup should have used."""
    return [component for pattern, component in DRAWN_ONCE.items() if re.search(pattern, markup, re.M)]


def test_what_a_component_draws_is_drawn_nowhere_else() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {component}"
        for path in TEMPLATES
        if path.parent.name not in ("components", "forms")
        for component in drawn_by_hand(path.read_text())
    ]
    assert not found, "\n".join(found)
    for planted, component in (
        ('<span class="badge ok">✓ active</span>', "c-badge, c-state"),
        ('<dl class="card-in facts narrow">', "c-facts and c-fact"),
        ("{% minor plan.amount_minor plan.currency %}", "c-money"),
        ('<div class="field"><label for="why">Why?</label>', "{{ field.as_field_group }}"),
    ):
        assert drawn_by_hand(planted) == [component]


def test_every_component_is_used_and_says_what_it_takes() -> None:
    """An attribute that is not declared by `c-vars` or the first lines would silently be lost."""
    for path in sorted((ROOT / "templates/components").glob("*.html")):
        name, text = path.stem.replace("_", "-"), path.read_text()
        uses = re.findall(rf"<c-{name}(?=[\s/>])((?:[^>\"]|\"[^\"]*\")*)>", MARKUP)
        assert uses, f"{path.name} is used nowhere"
        for use in uses:
            bare = re.sub(r'"[^"]*"', '""', use)
            for given in re.findall(r":?([a-z_]+)(?:=\"\")?(?=[\s/]|$)", bare):
                assert re.search(rf"\b{given}\b", text), f"<c-{name} {given}>"


def test_nobody_types_an_address() -> None:
    """Templates name the page (`{% url 'web:case' ... %}`), Python asks `web.addresses.href`; the files that declare the
    addresses are the only ones that spell them."""
    found = [
        f"{path.relative_to(ROOT)}: {typed}"
        for path in TEMPLATES
        for typed in re.findall(r'\b(?:href|src|action|hx-(?:get|post|put|delete))="/[^"]*"', path.read_text())
    ]
    firsts = "queue|cases|accounts|unlinked|records|plans|approvals|audit|people|find|status-banner|sign-in|sign-out|preferences"
    typed_path = re.compile(rf"""["']/(?:{firsts}|deliveries|connections|api)/""")
    for package in ("revops/web", "revops/api", "sync/surface"):
        for path in sorted((ROOT / package).rglob("*.py")):
            found += [f"{path.relative_to(ROOT)}: {typed}" for typed in typed_path.findall(path.read_text())]
    assert not found, "\n".join(found)


def reads_outside_a_form(source: str) -> list[int]:
    """The lines that use what was posted for anything but filling in a form: `SomeForm(request.POST)` or a function that makes
    one, whose name ends in `form` or `forms`."""
    tree = ast.parse(source)
    handed = {
        id(argument)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and re.search(
            r"(Form|_forms?)$", call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        )
        for argument in call.args
    }
    posted = (node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr in ("POST", "FILES"))
    return sorted(node.lineno for node in posted if id(node) not in handed)


def test_what_is_posted_is_read_by_a_form() -> None:
    """The one exception looks into every field, whatever its name: the guard against NUL."""
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for package in ("revops", "sync/surface")
        for path in sorted((ROOT / package).rglob("*.py"))
        for number in reads_outside_a_form(path.read_text())
        if path != ROOT / "revops/web/middleware.py"
    ]
    assert not found, "\n".join(found)
    planted = (
        'def view(request):\n    form = LinkForm(request.POST)\n    why = request.POST.get("why")\n    sent = request.POST\n'
    )
    assert reads_outside_a_form(planted) == [3, 4]


def test_every_form_that_posts_carries_the_token() -> None:
    for path in TEMPLATES:
        for form in re.findall(r'<form[^>]*method="post".*?</form>', path.read_text(), re.S):
            assert "csrf_token" in form, (path, form[:80])


def test_every_key_leads_somewhere_and_no_page_binds_one_twice() -> None:
    for key in KEYS:
        verb, _, name = key.action.partition(":")
        if verb == "click":
            assert re.search(rf'\b(data-)?key="{name}"', MARKUP) or f'"data-key": "{name}"' in FORMS, key
        elif verb == "focus":
            assert f'data-focus="{name}"' in MARKUP, key
        elif verb == "row":
            assert f'on("{name}"' in SCRIPTS, key
        else:
            assert verb in ("help", "close", "go"), key
    for page in ("queue", "case", "approvals", "accounts", "account", "deliveries", "plan"):
        pressed = [key.press for key in keys_for(page)]
        assert len(pressed) == len(set(pressed)), page


def test_the_stylesheets_keep_to_the_tokens() -> None:
    """Colours stand in one file only."""
    for path in (ROOT / "static/css").glob("*.css"):
        if path.name in ("tokens.css", "error.css", "print.css"):
            continue
        text = re.sub(r"light-dark\([^)]*\)", "", path.read_text())
        assert not re.search(r"#[0-9a-fA-F]{3,8}\b(?!-)", re.sub(r"#[a-z-]+", "", text)), path.name
