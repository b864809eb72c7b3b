"""The README's five minutes, walked: its blocks are typed one by one, and each answer is held to the one shown."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import time
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from tests.project.test_docs import FENCE, ROOT
from troth import PolicyMiddleware
from troth.cli import main

README = (ROOT / "README.md").read_text("utf-8")
WALK = README.split("\n## Five minutes", 1)[1].split("\n## ", 1)[0]
TYPED_ELSEWHERE = ("python3 -m venv", "pip install")
FRAMEWORKS = {"Starlette": "from starlette.applications", "FastAPI": "from fastapi"}

ANCHORED = 1.2
"""Seconds after which a checkpoint covers the last line; nobody types faster."""

Headers = list[tuple[bytes, bytes]]


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: str

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]


@dataclass
class Reader:
    """Somebody who types what stands in the README, in a folder of their own, with one of the two apps."""

    program: str
    out: pytest.CaptureFixture[str]
    app: Any = None
    jars: dict[str, str] = field(default_factory=dict)
    answer: Answer | None = None
    printed: str = ""

    def type(self, line: str) -> None:
        """Do what one line of a shell does."""
        words = shlex.split(line, comments=True)
        if line.startswith(TYPED_ELSEWHERE):
            return
        if words[0] == "troth":
            if "verify" in words:
                time.sleep(ANCHORED)
            self.out.readouterr()
            assert main(words[1:]) == 0, line
            self.printed += self.out.readouterr().out
        elif words[0] == "uvicorn":
            self.serve(words[1])
        elif words[0] == "curl":
            self.answer = asyncio.run(self.curl(words[1:]))
        else:
            pytest.fail(f"the README says `{line}`, which this test cannot type")

    def serve(self, name: str) -> None:
        assert name == "app:app"
        self.stop()
        module = types.ModuleType("app")
        exec(compile(self.program, "app.py", "exec"), module.__dict__)
        self.app = module.__dict__["app"]

    def stop(self) -> None:
        inner = getattr(self.app, "middleware_stack", None)
        while inner is not None and not isinstance(inner, PolicyMiddleware):
            inner = getattr(inner, "app", None)
        if inner is not None:
            inner.runtime.close()

    async def curl(self, words: list[str]) -> Answer:
        method, body, headers, save, url = "GET", b"", list[tuple[bytes, bytes]](), "", ""
        rest = iter(words)
        for word in rest:
            match word:
                case "-i":
                    continue
                case "-X":
                    method = next(rest)
                case "-H":
                    name, _, value = next(rest).partition(":")
                    headers.append((name.strip().lower().encode(), value.strip().encode()))
                case "-d":
                    body = next(rest).encode()
                case "-b":
                    headers.append((b"cookie", self.jars[next(rest)].encode()))
                case "-c":
                    save = next(rest)
                case _:
                    url = word
        answer = await self.ask(method, url, headers, body)
        if save:
            self.jars[save] = "; ".join(value.partition(";")[0] for value in answer.values("set-cookie"))
        return answer

    async def ask(self, method: str, url: str, headers: Headers, body: bytes) -> Answer:
        where = urlsplit(url)
        length = [(b"content-length", b"%d" % len(body))] if body else []
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": where.path,
            "raw_path": where.path.encode(), "query_string": b"", "root_path": "", "scheme": where.scheme,
            "headers": [(b"host", where.netloc.encode()), *headers, *length],
            "client": ("127.0.0.1", 50000), "server": (where.hostname, where.port), "state": {},
        }  # fmt: skip
        received = iter([{"type": "http.request", "body": body, "more_body": False}])
        sent: list[Any] = []

        async def receive() -> Any:
            return next(received, {"type": "http.disconnect"})

        async def send(message: Any) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        told = [(name.decode(), value.decode()) for name, value in sent[0]["headers"]]
        return Answer(sent[0]["status"], told, b"".join(one.get("body", b"") for one in sent[1:]).decode())

    def compare(self, shown: str) -> None:
        """Hold the last answer to the one that is shown: status, body, each header; of cookies these and no others."""
        assert self.answer is not None, shown
        head, _, body = shown.partition("\n\n")
        first, *lines = head.splitlines()
        assert first == f"HTTP/1.1 {self.answer.status} {HTTPStatus(self.answer.status).phrase}"
        told = [tuple(line.split(": ", 1)) for line in lines]
        assert [pair for pair in told if pair not in self.answer.headers] == []
        cookies = [value for name, value in told if name == "set-cookie"]
        if cookies:
            assert self.answer.values("set-cookie") == cookies
        assert json.loads(self.answer.body) == json.loads(body)

    def edit(self, section: str) -> None:
        """Do what the text asks for: rules in earnest, and one more row."""
        rules, policy = Path("privacy/policy/rules.yaml"), Path("privacy/policy/policy.yaml")
        earnest = re.sub(r"(?m)^  mode: dry-run\n", "", rules.read_text("utf-8"))
        assert earnest != rules.read_text("utf-8")
        rules.write_text(earnest, "utf-8")
        before = policy.read_text("utf-8")
        after = re.sub(r"(?ms)^data:\n.*?(?=^\w)", section, before)
        assert yaml.load(after, Loader=yaml.SafeLoader)["data"].keys() == {"email", "phone"}
        policy.write_text(after, "utf-8")


def blocks() -> Iterator[tuple[str, str]]:
    return ((block["kind"], block["body"]) for block in FENCE.finditer(WALK))


def program_of(framework: str) -> str:
    (program,) = (body for kind, body in blocks() if kind == "python" and body.startswith(FRAMEWORKS[framework]))
    return program


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_five_minutes_of_the_readme_come_out_as_it_says(
    framework: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TROTH_HOME", raising=False)
    reader = Reader(program_of(framework), capsys)
    answers = 0
    for kind, body in blocks():
        match kind:
            case "sh":
                for line in body.splitlines():
                    reader.type(line)
            case "http":
                reader.compare(body)
                answers += 1
            case "yaml":
                reader.edit(body)
            case "text":
                assert " ".join(body.split()) in " ".join(reader.printed.split())
            case _:
                assert kind == "python"
    reader.stop()
    assert answers >= 5
    check_the_trail_from_python(capsys)


def check_the_trail_from_python(out: pytest.CaptureFixture[str]) -> None:
    """Run the program of trail.md in the folder of the walk."""
    page = ROOT / "middleware" / "troth" / "docs" / "trail.md"
    (program,) = (one["body"] for one in FENCE.finditer(page.read_text("utf-8")) if one["kind"] == "python")
    out.readouterr()
    exec(compile(program, "trail.md", "exec"), {})
    told = out.readouterr().out
    assert "trail sound" in told
    assert told.split()[-1] == "0"


def test_the_walk_is_whole_and_has_an_app_for_each_framework() -> None:
    kinds = [kind for kind, _ in blocks()]
    assert kinds.count("python") == len(FRAMEWORKS)
    assert {"sh", "http", "yaml", "text"} <= set(kinds)


def test_what_fails_is_said_for_each_setting() -> None:
    section = README.split("\n## When something fails", 1)[1].split("\n## ", 1)[0]
    settings = {"policy", "binding", "home", "ledger", "engine", "mode", "denied", "clock"}
    settings |= {"actor", "state", "consents"}
    assert [name for name in settings if f"`{name}`" not in section] == []
