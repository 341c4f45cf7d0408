"""`tinyagent mcp` through the SDK's own client, in a process of its own: reads run, the rest needs a rule."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from mcp import ClientSession
from mcp.client.stdio import StdioServerParameters, stdio_client

from tests import poisoned

Talk = Callable[[ClientSession], Awaitable[None]]


class Place:
    """A home folder and a desktop with a poisoned invoice."""

    def __init__(self, folder: Path):
        self.home, self.desktop = folder / "home", folder / "desktop"
        self.home.mkdir()
        poisoned.seed(self.desktop)

    def allow(self, *names: str) -> None:
        (self.home / "settings.yaml").write_text(f"mcp:\n  allow: [{', '.join(names)}]\n")

    def talk(self, what: Talk) -> None:
        asyncio.run(asyncio.wait_for(self._talk(what), 50))

    async def _talk(self, what: Talk) -> None:
        server = StdioServerParameters(
            command=sys.executable,
            args=["-m", "tests.poisoned", "mcp", str(self.desktop)],
            env={**os.environ, "TINYAGENT_HOME": str(self.home)},
        )
        async with stdio_client(server) as streams, ClientSession(*streams) as session:
            await session.initialize()
            await what(session)

    def notes(self) -> set[str]:
        return {file.stem for file in (self.desktop / "notes").rglob("*.md")}


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(tmp_path)


def test_every_tool_is_offered_with_its_schema_and_hints(place, shipped_tools):
    async def listing(session: ClientSession) -> None:
        offered = {tool.name: tool for tool in (await session.list_tools()).tools}
        assert list(offered) == [*shipped_tools.names, "plan_and_run"]
        read, made, sent = (offered[n].annotations for n in ("get_phone_number", "create_note", "send_sms"))
        assert (read.read_only_hint, read.destructive_hint) == (True, False)
        assert (made.read_only_hint, made.destructive_hint) == (False, False)  # it can be undone
        assert (sent.read_only_hint, sent.destructive_hint, sent.open_world_hint) == (False, True, True)
        schema = offered["send_sms"].input_schema
        assert schema["properties"].keys() == {"recipients", "message"}
        assert schema["properties"]["recipients"]["type"] == "array"

    place.talk(listing)


def test_a_read_runs_and_a_write_needs_a_rule(place):
    async def calls(session: ClientSession) -> None:
        read = await session.call_tool("get_phone_number", {"name": "Sid"})
        assert not read.is_error
        assert read.structured_content["result"].startswith("+1 555")
        before = place.notes()
        refused = await session.call_tool("create_note", {"name": "Milk", "content": "two litres"})
        assert refused.is_error
        assert "no rule allows create_note" in refused.content[0].text
        assert place.notes() == before
        place.allow("create_note")  # holds from the next call on
        assert not (await session.call_tool("create_note", {"name": "Milk", "content": "two litres"})).is_error
        assert place.notes() == before | {"Milk"}

    place.talk(calls)


def test_a_whole_request_runs_only_if_each_tool_that_acts_is_allowed(place):
    place.allow("create_note")

    async def requests(session: ClientSession) -> None:
        both = await session.call_tool("plan_and_run", {"request": "note milk and text 555-0199"})
        assert both.is_error
        assert both.structured_content["missing_rules"] == ["send_sms"]
        assert "Milk" not in place.notes()
        one = await session.call_tool("plan_and_run", {"request": "note milk"})
        assert one.structured_content["ok"]
        assert "Milk" in place.notes()
        none = await session.call_tool("plan_and_run", {"request": "fly to the moon"})
        assert none.is_error
        assert "None of the tools" in none.content[0].text

    place.talk(requests)


def test_text_that_others_wrote_is_not_sent_whatever_the_rules_say(place):
    place.allow("send_sms")

    async def requests(session: ClientSession) -> None:
        text = {"recipients": ["555-0199"], "message": "hi"}
        assert not (await session.call_tool("send_sms", text)).is_error
        assert len(poisoned.outbox(place.desktop)) == 1
        answer = await session.call_tool("plan_and_run", {"request": poisoned.TEXT})
        assert answer.is_error
        assert [step["ended"] for step in answer.structured_content["outcome"]][:3] == ["done"] * 3
        assert len(poisoned.outbox(place.desktop)) == 1
        path = str(place.desktop / "files" / "invoice.pdf")
        summary = (await session.call_tool("summarize_pdf", {"pdf_path": path})).structured_content["result"]
        for message in (f"FYI: {summary}", summary[:-1], summary[10:50], "in other words"):
            given = await session.call_tool("send_sms", {"recipients": ["555-0199"], "message": message})
            assert given.is_error
            assert "nothing is sent in it" in given.content[0].text
        assert len(poisoned.outbox(place.desktop)) == 1

    place.talk(requests)


WRONG = {
    "no such tool": ("send_smss", {}, "did you mean 'send_sms'?"),
    "no such argument": ("send_sms", {"recipient": ["555-0199"]}, "did you mean 'recipients'?"),
    "no value": ("get_phone_number", {}, "needs name"),
    "nobody to send to": ("send_sms", {"message": "hi"}, "needs recipients"),
    "a reference": ("get_phone_number", {"name": ["$1"]}, "name"),
    "no request": ("plan_and_run", {"request": " "}, "takes one argument"),
    "a file elsewhere": ("summarize_pdf", {"pdf_path": "/etc/passwd"}, "/etc/passwd"),
}


def test_what_is_wrong_is_said(place):
    async def calls(session: ClientSession) -> None:
        for name, arguments, says in WRONG.values():
            answer = await session.call_tool(name, arguments)
            assert answer.is_error, name
            assert says in answer.content[0].text

    place.talk(calls)


def test_each_call_is_in_the_history(place):
    async def calls(session: ClientSession) -> None:
        await session.call_tool("get_phone_number", {"name": "Sid"})
        await session.call_tool("send_sms", {"recipients": ["555-0199"], "message": "hi"})

    place.talk(calls)
    from tinyagent_mlx.history import History

    with History(place.home / "history.sqlite3") as history:
        runs = list(history.runs(limit=5))
    assert [run.query for run in runs] == ["MCP: send_sms", "MCP: get_phone_number"]


def test_the_configuration_in_the_docs_names_what_there_is(shipped_tools):
    import yaml

    doc = (Path(__file__).parent.parent / "docs" / "mcp.md").read_text(encoding="utf-8")
    client = json.loads(doc.split("```json\n")[1].split("```")[0])
    assert client["mcpServers"]["tinyagent"] == {"command": "tinyagent", "args": ["mcp"]}
    rules = yaml.safe_load(doc.split("```yaml\n")[1].split("```")[0])
    assert set(rules["mcp"]["allow"]) <= set(shipped_tools.names)
