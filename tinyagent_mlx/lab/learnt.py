"""Learn a prompt's layout from prompts that were written in it, and check that it writes them again, byte for byte.

What never changes is text; a number that counts the tools, and a date, become fields; a line that stands in some prompts
only gets the tools that it stands with. No sentence of any prompt is in here: they are learnt where the user has them, and
stay there.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise, takewhile
from pathlib import Path

import networkx as nx

from tinyagent_mlx.errors import ConfigError, PlanError
from tinyagent_mlx.lab.learnt_again import learn_again
from tinyagent_mlx.lab.told import Parts, Told, around_request, cut_last, dates_in, read_told, take_apart
from tinyagent_mlx.plan import END, JOIN, parse_plan
from tinyagent_mlx.profile import Piece, Profile, fill
from tinyagent_mlx.prompt import FRAMES, example_text, system_text
from tinyagent_mlx.toolbox import Example

POOL = 400  # examples that are kept, the most frequent ones
LISTED = 0.95  # share of the prompts that must agree on the tools' order
NEARLY = 0.98  # share of a tool's prompts that hold a line, where a few prompts are odd
MOST_MISSED = 20  # rows that are named

Line = tuple[str, int]  # its text with fields, and which of several like it
Needed = tuple[tuple[str, ...], tuple[str, ...]]  # the tools of which any, and those of which all must be at hand
Row = tuple[Parts, str, tuple[Line, ...], datetime | None]  # with its head and lines with fields, and its moment


@dataclass(frozen=True)
class Learnt:
    """A profile, how many of the rows it was learnt from it writes again, and why not the others; `as_printed` of the
    `examples` are written as our own planner would write their plans."""

    profile: Profile
    rows: int
    reproduced: int
    missed: tuple[str, ...]
    unread: Mapping[str, int]
    examples: int
    as_printed: int


def learn(file: Path, name: str, frame: str = "text") -> Learnt:
    """Learn from a dataset's JSON or a prompt in a text file. Raises `ConfigError` when nothing can be learnt."""
    unread: Counter[str] = Counter()
    rows, before, after = _rows(file, unread)
    profile = _profile(name, FRAMES.get(frame, frame), f"{before}{{request}}{after}", rows)
    missed = [f"{parts.told.key}: {reason}" for parts, *_, now in rows if (reason := _missed(profile, parts, now))]
    pool = _pool(rows)
    printed = sum(_as_printed(text, before, profile) for text in pool.values())
    again = learn_again(file, before, after) if file.suffix.lower() == ".json" else {}
    return Learnt(
        replace(profile, shown=pool, again=again), len(rows), len(rows) - len(missed), tuple(missed[:MOST_MISSED]), unread,
        len(pool), printed,
    )  # fmt: skip


def moments(file: Path) -> dict[str, datetime]:
    """When the requests of a dataset were asked, where their prompts say so; white space in them is made one blank."""
    try:
        rows, *_ = _rows(file, Counter())
    except ConfigError:
        return {}  # it holds no prompts
    return {" ".join(parts.told.request.split()): now for parts, *_, now in rows if now}


def _rows(file: Path, unread: Counter[str]) -> tuple[list[Row], str, str]:
    """The prompts of a file taken apart, with what stands before and after a request; `unread` counts the others."""
    told = list(_kept(read_told(file), unread))
    if not told:
        why = "; ".join(f"{count} rows: {reason}" for reason, count in unread.items())
        raise ConfigError(f"{file}: holds no prompt to learn from{': ' + why if why else ''}")
    before, after = around_request(told)
    told = [_with_request(one, before, after) for one in told]
    rows = _with_fields(list(_taken_apart(told, before, unread)))
    if not rows:
        raise ConfigError(f"{file}: no prompt could be taken apart: {'; '.join(unread)}")
    return rows, before, after


def _kept(found: Iterable[Told | str], unread: Counter[str]) -> Iterator[Told]:
    """Those that could be read."""
    for one in found:
        if isinstance(one, str):
            unread[one] += 1
        else:
            yield one


def _with_request(told: Told, before: str, after: str) -> Told:
    """With the request as it stands in the user's message."""
    user = told.user
    within = user.startswith(before) and user.endswith(after) and len(user) >= len(before) + len(after)
    return replace(told, request=user[len(before) : len(user) - len(after)]) if within else told


def _taken_apart(told: Sequence[Told], begins: str, unread: Counter[str]) -> Iterator[Parts]:
    found = [take_apart(one, begins) for one in told]
    blocks = _blocks((parts for parts in found if isinstance(parts, Parts)), 1)
    known = [cut_last(p, blocks, "", begins) for p in found if isinstance(p, Parts) and not p.joined]
    after = Counter(parts.rest.partition("\n")[0] for parts in known if isinstance(parts, Parts))
    opening = after.most_common(1)[0][0] if after else ""
    for parts in found:
        if isinstance(parts, Parts) and not parts.joined:
            parts = cut_last(parts, blocks, opening, begins)
        if isinstance(parts, Parts):
            yield parts
        else:
            unread[parts] += 1


def _blocks(rows: Iterable[Parts], uncut: int = 0) -> dict[str, str]:
    """Each tool's words, those that come most often; where no join ends the list, its last `uncut` are not looked at."""
    seen: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for parts in rows:
        for name, block in parts.tools if parts.joined else parts.tools[: len(parts.tools) - uncut]:
            seen[name][block] += 1
    return {name: counts.most_common(1)[0][0] for name, counts in seen.items()}


def _with_fields(rows: Sequence[Parts]) -> list[Row]:
    """Heads and lines with fields in the place of dates, where these are no mere constants."""
    changing: defaultdict[str, set[str]] = defaultdict(set)
    for parts in rows:
        for line in _lines(parts.head) + _lines(parts.rest):
            for text, layout, _, named in dates_in(line):
                changing[line.replace(text, f"{{now:{layout}}}")] |= {text, ""} if named else {text}
    fields = {line for line, texts in changing.items() if len(texts) > 1}
    return [_row(parts, fields) for parts in rows]


def _row(parts: Parts, fields: set[str]) -> Row:
    now: datetime | None = None

    def dated(line: str) -> str:
        nonlocal now
        for text, layout, when, _ in dates_in(line):
            if (changed := line.replace(text, f"{{now:{layout}}}")) in fields:
                line, now = changed, max(now, when) if now else when  # the one that tells the time is the later one
        return line

    head = "".join(map(dated, _lines(parts.head)))
    rest = re.sub(r"^\d+", "{entries}", parts.rest) if parts.joined else parts.rest
    seen: Counter[str] = Counter()
    lines = []
    for line in map(dated, _lines(rest)):
        lines.append((line, seen[line]))
        seen[line] += 1
    return parts, head, tuple(lines), now


def _lines(text: str) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _profile(name: str, frame: str, user: str, rows: Sequence[Row]) -> Profile:
    ends = _closing(rows)
    layout = f"{user}\n{{steps}}{{number}}. {ends}"
    system = [
        Piece(_head(rows)),
        Piece("{number}. {block}", each="tool"),
        *_pieces(rows),
        Piece(layout, each="example"),
    ]
    count = Counter(len(parts.examples) for parts, *_ in rows).most_common(1)[0][0]
    stop = ends.removeprefix(f"{JOIN}()").partition("\n")[0]
    blocks = _blocks(parts for parts, *_ in rows)
    order = _order([tuple(tool for tool, _ in parts.tools) for parts, *_ in rows])
    return Profile(name, tuple(system), user, frame, examples=count, stop=stop, blocks=blocks, order=order)


def _head(rows: Sequence[Row]) -> str:
    """What stands before the tools; a number that counts them becomes a field."""
    found: list[tuple[int, str]] = []
    for field, more in (("entries", 1), ("tools", 0), ("", 0)):
        seen = Counter(
            re.sub(rf"(?<![\d.])\b{len(parts.tools) + more}\b(?![\d.]\d)", f"{{{field}}}", head) if field else head
            for parts, head, *_ in rows
        )
        text, count = seen.most_common(1)[0]
        found.append((count, text))
    return max(found, key=lambda pair: pair[0])[1]  # of equals the first


def _closing(rows: Sequence[Row]) -> str:
    """How an example ends, from the call of join on."""
    bodies = {text for parts, *_ in rows for text in parts.examples}
    common = _common([body[::-1] for body in bodies])[::-1]
    return common[common.index(f"{JOIN}()") :] if f"{JOIN}()" in common else f"{JOIN}(){END}\n"


def _common(texts: Sequence[str]) -> str:
    """The longest beginning that all texts share."""
    alike = takewhile(lambda characters: len(set(characters)) == 1, zip(*texts, strict=False))
    return "".join(characters[0] for characters in alike)


def _pieces(rows: Sequence[Row]) -> list[Piece]:
    """The lines between tools and examples, each with the tools that it stands with; neighbours are joined."""
    groups = Counter((frozenset(name for name, _ in parts.tools), lines) for parts, _, lines, _ in rows)
    pieces: list[Piece] = []
    for line in _in_order({lines: None for _, lines in groups}):
        needed = _needed(line, groups)
        if needed is None:
            continue
        if pieces and (pieces[-1].any, pieces[-1].all) == needed:
            pieces[-1] = replace(pieces[-1], text=pieces[-1].text + line[0])
        else:
            pieces.append(Piece(line[0], any=needed[0], all=needed[1]))
    return pieces


def _in_order(sequences: Iterable[tuple[Line, ...]]) -> list[Line]:
    """All lines, in an order that every prompt keeps; what the rarest orders say against it is passed over."""
    graph: nx.DiGraph = nx.DiGraph()
    first: dict[Line, int] = {}
    for lines in sequences:
        for line in lines:
            first.setdefault(line, len(first))
            graph.add_node(line)
        for one, other in pairwise(lines):
            if not nx.has_path(graph, other, one):
                graph.add_edge(one, other)
    return list(nx.lexicographical_topological_sort(graph, key=lambda line: first[line]))


def _needed(line: Line, groups: Mapping[tuple[frozenset[str], tuple[Line, ...]], int]) -> Needed | None:
    """The tools that a line stands with, by the rule that fewest prompts are against; None where it hardly stands."""
    stands = [(tools, line in lines, count) for (tools, lines), count in groups.items()]
    found, total = Counter[str](), Counter[str]()
    for tools, there, count in stands:
        for tool in tools:
            total[tool] += count
            found[tool] += count * there
    always = {tool for tool in total if found[tool] == total[tool]}
    nearly = {tool for tool in total if found[tool] >= NEARLY * total[tool]}
    both = frozenset.intersection(*(tools for tools, there, _ in stands if there))
    rules: list[Needed | None] = [((), ()), _any(always), _all(both), _any(nearly), None]

    def against(rule: Needed | None) -> int:
        return sum(count for tools, there, count in stands if there != _holds(rule, tools))

    return min((rule for rule in rules if rule is None or rule == ((), ()) or any(rule)), key=against)


def _any(tools: Iterable[str]) -> Needed:
    return tuple(sorted(tools)), ()


def _all(tools: Iterable[str]) -> Needed:
    return (), tuple(sorted(tools))


def _holds(rule: Needed | None, tools: frozenset[str]) -> bool:
    return rule is not None and (not rule[0] or not tools.isdisjoint(rule[0])) and tools.issuperset(rule[1])


def _order(rows: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The order that tools are listed in; none where the prompts do not agree on one."""
    before: Counter[tuple[str, str]] = Counter()
    for names, count in Counter(rows).items():
        for place, name in enumerate(names):
            for later in names[place + 1 :]:
                before[name, later] += count
    graph: nx.DiGraph = nx.DiGraph([pair for pair, count in before.items() if count > before[pair[1], pair[0]]])
    graph.add_nodes_from(name for names in rows for name in names)
    if not nx.is_directed_acyclic_graph(graph):
        return ()
    order = tuple(nx.lexicographical_topological_sort(graph))
    at = {name: number for number, name in enumerate(order)}
    agreed = sum(list(names) == sorted(names, key=lambda name: at[name]) for names in rows)
    return order if agreed >= LISTED * len(rows) else ()


def _pool(rows: Sequence[Row]) -> dict[str, str]:
    """The examples that come most often, by their request."""
    seen = Counter(text for parts, *_ in rows for text in parts.examples)
    before, after = around_request([parts.told for parts, *_ in rows])
    pool: dict[str, str] = {}
    for text, _ in seen.most_common():
        request = text.partition("\n")[0][len(before) :].removesuffix(after)
        if len(pool) < POOL:
            pool.setdefault(" ".join(request.split()), text)
    return pool


def _as_printed(text: str, before: str, profile: Profile) -> bool:
    """Whether our own writing of an example's plan is the example."""
    request, _, plan = text.partition("\n")
    try:
        example = Example(request.removeprefix(before), parse_plan(plan))
    except PlanError:
        return False
    return example_text(example, profile) == text


def _missed(profile: Profile, parts: Parts, now: datetime | None) -> str:
    """Where a prompt is not written again as it stood; "" where it is."""
    known = {name: profile.blocks.get(name, "") for name, _ in parts.tools}
    listed = sorted(known, key=profile.order.index) if profile.order else list(known)
    blocks = {name: known[name] for name in listed}
    system = system_text(profile, blocks, now or datetime(1970, 1, 1), parts.examples)
    told = parts.told
    user = fill(profile.user, request=told.request, now=now)
    for ours, theirs, where in ((system, told.system, "system"), (user, told.user, "user")):
        if ours != theirs:
            same = len(_common([ours, theirs]))
            return (
                f"{where} message, character {same}: {theirs[same : same + 30]!r}, written {ours[same : same + 30]!r}"
            )
    return ""
