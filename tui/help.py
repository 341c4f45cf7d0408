"""What the keys do, per screen."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Footer, Static

_EVERYWHERE = """\
Everywhere
  F1 help   F2 ask   F3 tools   F4 doctor
  Ctrl+P all commands   Ctrl+Q quit
  Tab and Shift+Tab move on and back; the mouse works everywhere."""

_TEXTS = {
    "ask": """\
Ask
  Enter       ask                  Ctrl+J  a new line
  Up, Down    requests from before
  Esc         stop: planning at once, a run at the next safe point
  Page Up/Dn  scroll the plans     Tab     go to what waits for an answer
  Ctrl+T, F8  say it: the same key or Enter ends it, Esc drops it

A plan grows step by step. What only reads (○) starts at once. What
writes (✎) or sends (➤) waits until you approve the whole plan.

When a plan waits
  a approve   e edit   r reject   n reject with a note and plan again
  The bar does nothing for a moment after it appears, and a letter that
  is followed by more goes to the prompt: typing on never approves.

On a step
  c copy its result   Enter open it   p show exactly what it runs

Marks: · waits ▸ runs ✓ done ✗ failed ? may have happened – not done""",
    "edit": """\
Edit
  Every argument has a field; "$1" stands for the result of step 1. Times
  can be words ("friday at 3pm"). Each change is checked at once.
  Ctrl+S keep   Ctrl+X drop a step, or bring it back   Esc leave""",
    "tools": """\
Tools
  /           search               Up, Down   choose a tool
  Left, Right entry, script, schema, examples
  e           edit tools.yaml in $EDITOR; the check's findings come up on return

A saved change is taken up within a second. While the file is wrong, the
tools from before stay in use.""",
    "doctor": """\
Doctor
  Enter       put a request into the prompt
  r           check again

✓ works   ~ works, but could be better   ✗ missing""",
}


class HelpScreen(ModalScreen[None]):
    BINDINGS: ClassVar = [Binding("escape,f1,q", "dismiss", "Close")]

    def __init__(self, about: str):
        super().__init__()
        self.about = about

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help"):
            yield Static(f"{_TEXTS[self.about]}\n\n{_EVERYWHERE}", markup=False)
        yield Footer()
