"""The examples of docs/api.md, run one after the other against a real server.

A curl line is read as curl would read it; a JSON block that follows is what it must answer, where
`…` stands for any value.
"""

import json
import re
import shlex
import urllib.request
from pathlib import Path
from typing import Any, Final

import pytest

from tests.tools.workbench import KEY, server

TEXT: Final = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
BLOCKS: Final = re.findall(r"^```(sh|json|python)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
ADDRESS: Final = "http://127.0.0.1:8080"
ANY: Final = "…"


def curl(command: str) -> urllib.request.Request:
    """Give the request that a curl line makes."""
    words = iter(shlex.split(command.replace("\\\n", " ")))
    assert next(words) == "curl"
    method, url, headers, data = None, "", {}, None
    for word in words:
        match word:
            case "-X":
                method = next(words)
            case "-H":
                name, _, value = next(words).partition(": ")
                headers[name] = value
            case "-d":
                data = next(words).encode()
            case _:
                assert word.startswith("http"), word
                url = word
    return urllib.request.Request(url, data, headers, method=method)


def assert_like(found: Any, told: Any) -> None:
    """Compare an answer with its example."""
    if told == ANY:
        assert found is not None
    elif isinstance(told, dict):
        assert list(found) == list(told)
        for name, value in told.items():
            assert_like(found[name], value)
    elif isinstance(told, list):
        assert len(found) == len(told)
        for one, other in zip(found, told, strict=True):
            assert_like(one, other)
    else:
        assert found == told


def ids_in(answer: Any) -> list[str]:
    """Give the ids of jobs that an answer says were created."""
    if isinstance(answer, dict) and answer.get("created") is True:
        return [answer.get("id") or answer["job_id"]]
    inner = answer.values() if isinstance(answer, dict) else answer
    if isinstance(inner, str) or not hasattr(inner, "__iter__"):
        return []
    return [job_id for one in inner for job_id in ids_in(one)]


def test_every_example_is_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id, answer, run = "", None, {"sh": 0, "json": 0, "python": 0}
    monkeypatch.setenv("SPOOLOG_API_KEY", KEY)
    with server(tmp_path) as (_, url):
        for kind, block in BLOCKS:
            run[kind] += 1
            text = block.replace(ADDRESS, url).replace("JOB_ID", job_id)
            if kind == "sh":
                request = curl(text.replace("$SPOOLOG_API_KEY", KEY))
                with urllib.request.urlopen(request) as response:
                    answer = json.loads(response.read() or "null")
                job_id = (ids_in(answer) or [job_id])[-1]
            elif kind == "json":
                assert_like(answer, json.loads(text))
            else:
                exec(compile(text, "docs/api.md", "exec"), {})
    assert run["sh"] == run["json"] >= 10
    assert run["python"] >= 1


def test_no_other_examples_hide_in_the_page() -> None:
    assert TEXT.count("```") == 2 * len(BLOCKS)
    assert TEXT.count("curl ") == sum(kind == "sh" for kind, _ in BLOCKS) == TEXT.count(ADDRESS) - 1
