"""Turn a request and its plan into the decisions that spell it: what the pointer planner is taught.

The other way round from `decisions.Cursor`, which decodes. Knows requests and plans, no models.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tinyagent_mlx.decisions import EMPTY, END_PLAN, SPECIALS, STOP, Layout, Slot, link_words
from tinyagent_mlx.errors import PlanError
from tinyagent_mlx.links import written
from tinyagent_mlx.plan import Plan
from tinyagent_mlx.values import Mixed, Ref, Scalar, Value
from tinyagent_mlx.when import count
from tinyagent_mlx.words import split_words

_GLUE = {"at", "on", "from", "around", "by", "for", "um", "uh", ",", "the", "starting", "about", "@"}


class Oracle:
    """Turn a request and its plan into the decisions that spell it: the training target."""

    def __init__(self, layout: Layout):
        self.layout = layout

    def decisions(self, request: str, plan: Plan, spans: Sequence[tuple[int, int]] = ()) -> list[int]:
        """Candidate numbers in order. `spans` are character spans of filled slots: where a text stands twice, they
        tell which is meant. Raises `PlanError` when an argument is not in the request."""
        words = split_words(request)
        starts = {word.start: index for index, word in enumerate(words)}
        ends = {word.end: index for index, word in enumerate(words)}
        known = {(starts[a], ends[b]) for a, b in spans if a in starts and b in ends}
        finder = _Finder([word.text.lower() for word in words], known, link_words(request, words))
        out: list[int] = []
        for step in plan.steps:
            out.append(SPECIALS + self.layout.tools.names.index(step.tool))
            first = self.layout.first_slot[step.tool]
            for offset, value in enumerate(step.arguments):
                out.extend(self._argument(self.layout.slots[first + offset], value, finder))
        return [*out, END_PLAN]

    def _argument(self, slot: Slot, value: Value, finder: _Finder) -> Iterator[int]:
        for constant, number in slot.constants:
            if type(constant) is type(value) and constant == value:
                yield number
                return
        if value == slot.argument.default and slot.may_be_empty:
            yield EMPTY
            return
        for scalar in value if isinstance(value, tuple) else (value,):
            for piece in scalar.parts if isinstance(scalar, Mixed) else (scalar,):
                yield from self._piece(slot, piece, finder)
        if slot.many:
            yield STOP

    def _piece(self, slot: Slot, piece: Scalar, finder: _Finder) -> Iterator[int]:
        if isinstance(piece, Ref):
            yield self.layout.steps_at + piece.step - 1
            return
        if not slot.spans:
            raise PlanError(f"{slot.tool.name}, {slot.argument.name}: {piece!r} is no declared constant")
        text = str(piece)
        if type(piece) is int:
            spans = finder.find_number(piece)
        elif slot.argument.type.item.name == "url":
            spans = finder.find_link(text)
        else:
            spans = finder.find(text)
        if len(spans) > 1 and not slot.many:
            raise PlanError(f"{slot.tool.name}, {slot.argument.name}: {text!r} is not one span of the request")
        for start, end in spans:
            yield self.layout.words_at + start
            yield self.layout.words_at + end


class _Finder:
    """Find texts among the words of a request, known spans first."""

    def __init__(self, words: list[str], known: set[tuple[int, int]], links: dict[tuple[int, int], str]):
        self.words, self.known, self.links = words, known, links

    def find(self, text: str) -> list[tuple[int, int]]:
        """The spans (first and last word) that spell `text`, neighbours merged. Raises `PlanError`."""
        wanted = [word.text.lower() for word in split_words(text) if word.text]
        while wanted and not any(c.isalnum() for c in wanted[0]):
            wanted = wanted[1:]
        while wanted and not any(c.isalnum() for c in wanted[-1]):
            wanted = wanted[:-1]
        spans: list[tuple[int, int]] = []
        at = 0
        while at < len(wanted):
            span = self._longest(wanted, at)
            if span is None:
                if not any(c.isalnum() for c in wanted[at]):
                    at += 1
                    continue
                raise PlanError(f"{text!r} is not in the request")
            at += span[1] - span[0] + 1
            if spans and span[0] > spans[-1][1] and set(self.words[spans[-1][1] + 1 : span[0]]) <= _GLUE:
                spans[-1] = (spans[-1][0], span[1])
            else:
                spans.append(span)
        return spans

    def find_link(self, link: str) -> list[tuple[int, int]]:
        """The first span that is this link, written or said. Raises `PlanError`."""
        for span, text in self.links.items():
            if written(text).lower() == written(link).lower():
                return [span]
        raise PlanError(f"{link!r} is not in the request")

    def find_number(self, number: int) -> list[tuple[int, int]]:
        """The longest span of up to six words ("for an hour and a half") that says `number`. Raises `PlanError`."""
        for length in range(min(6, len(self.words)), 0, -1):
            for start in range(len(self.words) - length + 1):
                if count(" ".join(self.words[start : start + length])) == number:
                    return [(start, start + length - 1)]
        raise PlanError(f"{number!r} is not in the request")

    def _longest(self, wanted: list[str], at: int) -> tuple[int, int] | None:
        best: tuple[int, bool, int] | None = None
        for start in range(len(self.words)):
            length = 0
            while (
                at + length < len(wanted)
                and start + length < len(self.words)
                and self.words[start + length] == wanted[at + length]
            ):
                length += 1
            if length:
                rank = (length, (start, start + length - 1) in self.known, -start)
                best = max(best, rank) if best else rank
        if best is None:
            return None
        return -best[2], -best[2] + best[0] - 1
