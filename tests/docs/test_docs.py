"""The documentation against the code: every event, field, route, option, code and verb is there."""

import re
import tomllib
from pathlib import Path
from typing import get_args

import click
import msgspec
import pytest

from projections.events import Event
from server.http.errors import STATUS
from server.http.routes import ROUTES
from server.settings import Settings
from tools.cli import main

ROOT = Path(__file__).parents[2]
DOCS = {path.name: path.read_text() for path in [*(ROOT / "docs").glob("*.md"), ROOT / "README.md"]}


@pytest.mark.parametrize("kind", get_args(Event), ids=lambda kind: kind.__name__)
def test_every_event_and_its_fields(kind: type[msgspec.Struct]) -> None:
    row = next(
        line
        for line in DOCS["events.md"].splitlines()
        if line.startswith(f"| `{kind.__struct_config__.tag}` |")
    )
    for name in kind.__struct_fields__:
        assert name == "org" or f"`{name}`" in row


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_route(route: object) -> None:
    assert any(
        line.startswith(f"| {route.method} | `{route.path}")  # type: ignore[attr-defined]
        for line in DOCS["api.md"].splitlines()
    )


def test_every_option_with_its_variable_and_default() -> None:
    for one in msgspec.structs.fields(Settings):
        row = f"| `--{one.name.replace('_', '-')}` | `SPOOLOG_{one.name.upper()}` |"
        line = next(line for line in DOCS["operating.md"].splitlines() if line.startswith(row))
        if one.default not in {None, False}:
            assert f"| {one.default} |" in line


def test_every_error_code_with_its_status() -> None:
    for refusal, status in STATUS.items():
        rows = [line for line in DOCS["api.md"].splitlines() if line.startswith(f"| {status} |")]
        assert any(f"`{refusal.code}`" in row for row in rows), refusal


def test_every_verb() -> None:
    context = click.Context(main)
    for name in main.list_commands(context):
        assert f"spoolog {name}" in DOCS["README.md"], name


def test_every_dependency_has_its_reason() -> None:
    declared = (ROOT / "pyproject.toml").read_text()
    for line in DOCS["dependencies.md"].splitlines():
        if line.startswith("| ") and "≥" in line:
            name, _, version = line.split("|")[1].partition("≥")
            bound = rf'"{name.strip()}(\[\w+\])?>={version.split()[0]}\b'
            assert re.search(bound, declared), bound


def test_no_dependency_goes_untold() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = declared["optional-dependencies"].values()
    wanted = [*declared["dependencies"], *(one for extra in extras for one in extra)]
    told = DOCS["dependencies.md"].split()
    for requirement in wanted:
        name = re.split(r"[\[><=]", requirement)[0]
        assert name in {word.strip("|,") for word in told}, name


def test_every_link_between_documents_leads_somewhere() -> None:
    for name, text in DOCS.items():
        base = ROOT if name == "README.md" else ROOT / "docs"
        for target in text.split("](")[1:]:
            path = target.split(")")[0]
            assert path.startswith("http") or (base / path).exists(), (name, path)


def test_every_test_that_is_named_exists() -> None:
    named = {name for text in DOCS.values() for name in re.findall(r"tests/[\w/]+\.py", text)}
    assert len(named) > 20
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
