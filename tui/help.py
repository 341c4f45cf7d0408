"""What the keys do, per screen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.footer import Footer

_EVERYWHERE = """\
Everywhere
  F1 help   F2 ask   F3 tools   F4 doctor   F5 history   F6 settings
  Ctrl+P all commands   Ctrl+Q quit
  Tab and Shift+Tab move on and back; the mouse works everywhere."""

_TEXTS = {
    "ask": """\
Ask
  Enter       ask                  Ctrl+J  a new line
  Up, Down    requests from before     Ctrl+R  search them
  Esc         stop: planning at once, a run at the next safe point
  Page Up/Dn  scroll the plans     Tab     go to what waits for an answer
  Ctrl+T, F8  say it: the same key or Enter ends it, Esc drops it
  F9          undo what the last request did, as far as there is a way back

A plan grows step by step. What only reads (○) starts at once. What
writes (✎) or sends (➤) waits until you approve the whole plan.

When a plan waits
  a approve   e edit   r reject   n reject with a note and plan again
  w approve, and let these tools act without asking from now on; one that
  sends takes a second answer, and F3 takes it back
  The bar does nothing for a moment after it appears, and a letter that
  is followed by more goes to the prompt: typing on never approves.

On a step
  c copy its result   Enter open it   p show exactly what it runs
  u undo it

Marks: · waits ▸ runs ✓ done ✗ failed ? may have happened – not done
       ↶ undone""",
    "history": """\
History
  /           search: all words, in requests, plans and results
  Enter       open a request: plan, approval, every argument and result
  r           run again: the request comes into the prompt, to be changed
  u           undo all that it did, last step first; what has no way back
              is named
  s           save it as a case for tinyagent eval; the form says where to
  x           export every request

On an open request, up and down go from step to step:
  c copy the result   o open it   u undo this step   U undo all   s r as above

A program that was killed left no step out: what was running then is marked
with a question mark, and nothing runs again by itself.""",
    "edit": """\
Edit
  Every argument has a field; "$1" stands for the result of step 1. Times
  can be words ("friday at 3pm"). Each change is checked at once.
  Ctrl+S keep   Ctrl+X drop a step, or bring it back   Esc leave""",
    "tools": """\
Tools
  /           search               Up, Down   choose a tool
  Left, Right entry, script, schema, examples
  f           fine-tune the planner on your own tools
  e           edit tools.yaml in $EDITOR; the check's findings come up on return
  w           let a tool ask again that was allowed always
  o           switch a tool off, or on again (–), in your own tools.yaml
  t           try it: say a request, see its plan and how sure it is

A saved change is taken up within a second. While the file is wrong, the
tools from before stay in use.""",
    "finetune": """\
Fine-tune
  s   start, stop, go on        n   begin anew, with another draw
  b   back to the planner before the last fine-tuning
  Esc to the tools: training goes on, and so does asking

A copy of the planner learns from the examples of your own tools in
tools.yaml; every fourth is held back to measure with. The copy is used
only if your tools gained and the shipped ones lost no more than a point.
What was stopped goes on where it was, after a restart too.""",
    "settings": """\
Settings
  Enter       change the row: choose, or write and press Enter; Esc leaves
  e           edit settings.yaml in $EDITOR

A change is written at once; your comments stay. Another planner is loaded
at once, and is not kept if it can't be. Keys count from the next start on.
A file that is wrong is named with its line, and nothing is written over it.""",
    "doctor": """\
Doctor
  Enter       put a request into the prompt
  Ctrl+R      check again
  letters     begin a request of your own

✓ works   ~ works, but could be better   ✗ missing""",
}


class HelpScreen(ModalScreen[None]):
    BINDINGS: ClassVar = [Binding("escape,f1,q", "dismiss", "Close")]

    def __init__(self, about: str, keys: Mapping[str, str] | None = None):
        """`keys` are those that the user chose."""
        super().__init__()
        self.about, self.keys = about, keys or {}

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help"):
            yield Static(f"{_TEXTS[self.about]}\n\n{_EVERYWHERE}{self._own()}", markup=False)
        yield Footer()

    def _own(self) -> str:
        """The keys that are other than this text says."""
        lines = [f"  {name}  {keys}" for name, keys in self.keys.items()]
        return "\n".join(["\n\nYour own keys, in settings.yaml", *lines]) if lines else ""
