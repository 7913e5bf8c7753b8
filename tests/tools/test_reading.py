"""The verbs that read a log do so through what is public: what they can, every program can."""

import ast
from pathlib import Path

import pytest

import eventlog
import spoolog

TOOLS = Path(__file__).parents[2] / "tools"
READING = ("log", "export", "facts", "sql", "state", "explain", "history", "lines", "formats")


@pytest.mark.parametrize("name", READING)
def test_verbs_that_read_use_public_names_only(name: str) -> None:
    tree = ast.parse((TOOLS / f"{name}.py").read_text())
    public = {"eventlog": set(eventlog.__all__), "spoolog": set(spoolog.__all__)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            room = node.module.split(".")[0]
            if room in public:
                assert node.module == room, f"tools/{name}.py imports {node.module}"
                assert {alias.name for alias in node.names} <= public[room]
        elif isinstance(node, ast.Import):
            assert {alias.name for alias in node.names}.isdisjoint({"eventlog.walker"})
            assert not [one for one in node.names if one.name.startswith("spoolog.")]


def test_what_is_public_is_there() -> None:
    for room in (eventlog, spoolog):
        assert all(hasattr(room, name) for name in room.__all__)
        assert len(set(room.__all__)) == len(room.__all__)
