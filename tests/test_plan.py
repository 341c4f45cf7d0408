"""The plan language: what is printed is read back, in pieces or whole; what is no plan is a `PlanError` and nothing else."""

from __future__ import annotations

import ast
import itertools
import warnings

import networkx as nx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tinyagent_mlx.errors import PlanError
from tinyagent_mlx.plan import (
    Plan,
    PlanParser,
    Step,
    parse_plan,
    parse_written,
    print_plan,
    print_step,
    print_value,
    quote,
)
from tinyagent_mlx.values import Mixed, Ref, Value, join

quick = settings(max_examples=100, deadline=None)

# Pieces that have broken plan parsers: references, money, quotes, line ends, marks of the language itself.
HOSTILE = (
    "$1", "${2}", "$15", "$2.50", "$", "${", "}", "\\", "\\$1", "\\\\${1}", '"', "'", '"""', "\n", "\r\n", "\t", "\x00", "\u2028",
    "\x85", "🙂", "é", "\ud83d", "٣", ")", "(", "[", "]", ",", "#", "join()", "<END_OF_PLAN>", "\n2. send_sms([], ", "Thought: ", "1",
    "{name}", "%s", "None", " ",
)  # fmt: skip
TEXTS = st.lists(st.sampled_from(HOSTILE) | st.text(max_size=3), max_size=5).map("".join)
TOOLS = st.sampled_from(["get_email_address", "send_sms", "_x", "T2", "joined", "Thought"])


def scalars(step: int) -> st.SearchStrategy[Value]:
    plain = TEXTS | st.integers() | st.booleans()
    if step == 1:
        return plain
    refs = st.integers(1, step - 1).map(Ref)
    return plain | refs | st.lists(TEXTS | refs, min_size=1, max_size=4).map(join)


def arguments(step: int) -> st.SearchStrategy[tuple[Value, ...]]:
    return st.lists(scalars(step) | st.lists(scalars(step), max_size=3).map(tuple), max_size=3).map(tuple)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    before = draw(st.sampled_from([0, 0, 14]))  # with 15 steps, "$15" is a reference
    steps = [Step(k, "f", ()) for k in range(1, before + 1)]
    steps += [Step(k, draw(TOOLS), draw(arguments(k))) for k in range(before + 1, before + draw(st.integers(1, 4)))]
    return Plan(tuple(steps))


def pieces(text: str, cuts: list[int]) -> list[str]:
    edges = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    return [text[a:b] for a, b in itertools.pairwise(edges)]


def streamed(parts: list[str]) -> Plan:
    parser = PlanParser()
    steps = [step for part in parts for step in parser.feed(part)]
    return Plan((*steps, *parser.close()))


def outcome(read, text) -> Plan | str:
    try:
        return read(text)
    except PlanError as error:
        return str(error)


@quick
@given(plans(), st.booleans())
def test_what_is_printed_is_read_back(plan, closed):
    assert parse_plan(print_plan(plan, join=closed)) == plan


@quick
@given(plans(), st.lists(st.integers(0, 10**6), max_size=12))
def test_pieces_cut_anywhere_give_the_same_plan(plan, cuts):
    assert streamed(pieces(print_plan(plan, join=True), cuts)) == plan


@quick
@given(plans())
def test_each_step_is_printed_on_one_line_that_can_be_encoded(plan):
    lines = print_plan(plan).split("\n") if plan.steps else []
    assert lines == [print_step(step) for step in plan.steps]
    assert [line.splitlines() for line in lines] == [[line] for line in lines]
    print_plan(plan).encode("utf-8")


@quick
@given(TEXTS, TEXTS)
def test_hostile_text_never_becomes_a_reference_or_a_step(one, other):
    steps = (Step(1, "a", ()), Step(2, "b", (one,)), Step(3, "c", (other, (one, Ref(2)), Ref(1))))
    plan = parse_plan(print_plan(Plan(steps)))
    assert [step.depends_on() for step in plan.steps] == [(), (), (1, 2)]
    assert (plan.steps[1].arguments[0], plan.steps[2].arguments[0]) == (one, other)


ARBITRARY = st.text(max_size=60) | st.lists(
    st.sampled_from([*HOSTILE, "1. f(", "2. g(", "3.", "1 . h (", "$1)", "None", "{[1]: 2}", "{[1]}", "-", "1e999", "b'x'", "*a", "k=1"]),
    max_size=12,
).map("".join)  # fmt: skip


@settings(quick, max_examples=400)
@given(ARBITRARY)
@example("1. f({[1]: 2})")
@example("1. f({[1]})")
@example("1. f(" + "[" * 5000 + "]" * 5000 + ")")
@example("1. f(" + "-" * 5000 + "1)")
@example("1. f(" + "1+" * 5000 + "1)")
@example("1. f(" + "9" * 5000 + ")")
@example("1. f('\x00', '\ud83d')")
@example("9" * 30 + ". f()")
def test_arbitrary_text_is_a_plan_or_a_plan_error(text):
    plan = outcome(parse_plan, text)
    if isinstance(plan, Plan):
        assert parse_plan(print_plan(plan)) == plan


@settings(quick, max_examples=300)
@given(ARBITRARY, st.lists(st.integers(0, 10**6), max_size=6))
@example("\n1.\nf()", [1])
@example("1. f('a\n')", [7])
@example("1. f() 2. g($1)", [6, 8])
def test_pieces_cut_anywhere_are_judged_as_the_whole(text, cuts):
    whole, parts = outcome(parse_plan, text), outcome(streamed, pieces(text, cuts))
    assert isinstance(whole, Plan) == isinstance(parts, Plan)
    if isinstance(whole, Plan):
        assert whole == parts


ONE = Plan((Step(1, "f", ("a",)),))

READ = {
    "empty text": ("", Plan()),
    "join alone": ("1. join()<END_OF_PLAN>", Plan()),
    "without join": ('1. f("a")', ONE),
    "with join": ('1. f("a")\n2. join()', ONE),
    "with join and end mark": ('1. f("a")\n2. join()<END_OF_PLAN>', ONE),
    "end mark without join": ('1. f("a")\n<END_OF_PLAN>', ONE),
    "end mark on the same line": ('1. f("a")<END_OF_PLAN>', ONE),
    "text after the end": ('1. f("a")\n2. join()<END_OF_PLAN>\n3. g(', ONE),
    "join numbered anyhow": ('1. f("a")\n7. join()', ONE),
    "thought before": ('Thought: I need f (or "g) first.\n1. f("a")', ONE),
    "thoughts between": ('1. f("a")\nThought: done? (yes\n2. join()', ONE),
    "blank lines and indentation": ('\n\n   1.  f ( "a" )  \n\n', ONE),
    "windows line ends": ('1. f("a")\r\n2. join()\r\n', ONE),
    "two steps on a line": ('1. f("a") 2. join()', ONE),
    "comment after a call": ('1. f("a")  # a comment (\n', ONE),
    "arguments on several lines": ('1. f(\n  "a"\n)\n', ONE),
    "comma at the end": ('1. f("a",)', ONE),
    "single quotes": ("1. f('a')", ONE),
    "a word named like join": ('1. joined("a")', Plan((Step(1, "joined", ("a",)),))),
    "line end inside text": ('1. f("a\nb")', Plan((Step(1, "f", ("a\nb",)),))),
    "none is nothing said": ("1. f(None, [None])", Plan((Step(1, "f", ("", ("",))),))),
    "numbers and booleans": ("1. f(-3, True)", Plan((Step(1, "f", (-3, True)),))),
    "tuple is a list": ('1. f(("a", "b"))', Plan((Step(1, "f", (("a", "b"),)),))),
    "parenthesis inside text": ("1. f(\"a) 2. g('\")", Plan((Step(1, "f", ("a) 2. g('",)),))),
    "escaped quote inside text": (r'1. f("say \"hi\")")', Plan((Step(1, "f", ('say "hi")',)),))),
    "money": ('1. f("costs $15")', Plan((Step(1, "f", ("costs $15",)),))),
    "money of an earlier step's number": ('1. f()\n2. g("$1.50")', Plan((Step(1, "f", ()), Step(2, "g", (Mixed((Ref(1), ".50")),))))),
    "reference to itself is text": ('1. f("$1")', Plan((Step(1, "f", ("$1",)),))),
    "reference": ('1. f()\n2. g("$1", ["${1}"])', Plan((Step(1, "f", ()), Step(2, "g", (Ref(1), (Ref(1),)))))),
    "bare reference": ("1. f()\n2. g($1, [${1}])", Plan((Step(1, "f", ()), Step(2, "g", (Ref(1), (Ref(1),)))))),
    "escaped reference": (r'1. f()' + "\n" + r'2. g("\\$1")', Plan((Step(1, "f", ()), Step(2, "g", ("$1",))))),
}  # fmt: skip

REFUSED = {
    "gap in the numbering": ('1. f("a")\n3. f("b")', "expected step 2"),
    "begins at two": ('2. f("a")', "expected step 1"),
    "begins at zero": ('0. f("a")', "expected step 1"),
    "number twice": ('1. f("a")\n1. f("b")', "expected step 2"),
    "call not closed": ('1. f("a"', "call of f is not closed"),
    "text not closed": ('1. f("a)', "call of f is not closed"),
    "list not closed": ('1. f(["a")', "not closed|not Python literals"),
    "second call not closed": ('1. f()\n2. g("a"\n', "step 2: call of g is not closed"),
    "number without a call": ("1. say hello", "is not a call"),
    "word as argument": ("1. f(a)", "step 1: arguments of f are not Python literals"),
    "call as argument": ("1. f(g())", "not Python literals"),
    "code as argument": ("1. f(__import__('os').system('x'))", "not Python literals"),
    "named argument": ('1. f(name="a")', "not Python literals"),
    "formatted text": ('1. f(f"a{1}")', "not Python literals"),
    "fraction": ("1. f(1.5)", "1.5"),
    "bytes": ('1. f(b"a")', "no tool takes"),
    "mapping": ('1. f({"a": 1})', "no tool takes"),
    "mapping with a list as key": ("1. f({[1]: 2})", "not Python literals"),
    "set": ('1. f({"a"})', "no tool takes"),
    "list in a list": ('1. f([["a"]])', "list inside a list"),
}


@pytest.mark.parametrize(("text", "plan"), READ.values(), ids=READ)
def test_a_plan_is_read(text, plan):
    assert parse_plan(text) == plan


@pytest.mark.parametrize(("text", "says"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_plan_is_refused_in_one_line(text, says):
    with pytest.raises(PlanError, match=says) as error:
        parse_plan(text)
    assert "\n" not in str(error.value)


def test_an_escape_that_python_does_not_know_stays_as_it_is_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plan = parse_plan(r'1. f("\d \\d \$5 \n", "C:\q")')
    assert plan.steps[0].arguments == ("\\d \\d \\$5 \n", "C:\\q")


def test_money_of_two_digits_is_a_reference_only_once_that_step_is_there():
    plan = parse_plan("\n".join(f'{k}. f("$15")' for k in range(1, 17)))
    assert [step.arguments[0] for step in plan.steps[:15]] == ["$15"] * 15
    assert plan.steps[15].arguments[0] == Ref(15)


def test_a_step_comes_out_as_soon_as_its_call_is_closed():
    parser = PlanParser()
    assert list(parser.feed('1. f("a"')) == []
    assert list(parser.feed(")")) == [Step(1, "f", ("a",))]
    assert list(parser.feed('\n2. g("$1")\n3. h(')) == [Step(2, "g", (Ref(1),))]
    assert list(parser.feed(")\n4. join()")) == [Step(3, "h", ())]
    assert list(parser.close()) == []


@pytest.mark.parametrize(
    ("value", "step", "text"),
    [
        ("", 1, '""'),
        ("Sid", 1, '"Sid"'),
        ('say "hi"', 1, r'"say \"hi\""'),
        ("it's", 1, '"it\'s"'),
        ("a\nb", 1, r'"a\nb"'),
        ("a\\b", 1, r'"a\\b"'),
        ("🙂 é", 1, '"🙂 é"'),
        ("\x00\u2028", 1, r'"\x00\u2028"'),
        (7, 1, "7"),
        (False, 1, "False"),
        ((), 1, "[]"),
        (("a", Ref(1)), 2, '["a", "$1"]'),
        (Mixed(("see ", Ref(1), "0")), 2, '"see ${1}0"'),
        ("$15", 2, '"$15"'),
        ("$1", 2, r'"\\$1"'),
    ],
    ids=str,
)
def test_a_value_is_printed_as_one_literal(value, step, text):
    assert print_value(value, step) == text


@quick
@given(TEXTS)
def test_a_quoted_text_is_a_python_literal(text):
    assert ast.literal_eval(quote(text)) == text


def test_a_plan_is_closed_by_the_next_number():
    assert print_plan(ONE, join=True) == '1. f("a")\n2. join()<END_OF_PLAN>'
    assert print_plan(Plan(), join=True) == "1. join()<END_OF_PLAN>"
    assert print_plan(Plan()) == ""


DIAMOND = parse_plan('1. a()\n2. b("$1")\n3. c("$1 and ${1}")\n4. d(["$2", "$3"])\n5. e("x")')


def test_the_graph_has_an_edge_for_each_dependency():
    graph = DIAMOND.graph()
    assert {node: data["tool"] for node, data in graph.nodes(data=True)} == {1: "a", 2: "b", 3: "c", 4: "d", 5: "e"}
    assert set(graph.edges) == {(1, 2), (1, 3), (2, 4), (3, 4)}


@pytest.mark.parametrize(
    ("dropped", "text"),
    [
        (1, '1. e("x")'),
        (2, '1. a()\n2. c("$1 and ${1}")\n3. e("x")'),
        (4, '1. a()\n2. b("$1")\n3. c("$1 and ${1}")\n4. e("x")'),
        (5, '1. a()\n2. b("$1")\n3. c("$1 and ${1}")\n4. d(["$2", "$3"])'),
        (9, print_plan(DIAMOND)),
    ],
    ids=["all that follows", "renumbered", "leaf", "last", "no such step"],
)
def test_a_dropped_step_takes_along_what_depends_on_it(dropped, text):
    assert DIAMOND.without(dropped) == parse_plan(text)


@quick
@given(plans(), st.integers(0, 17))
def test_a_plan_less_a_step_is_a_plan(plan, dropped):
    less = plan.without(dropped)
    assert [step.id for step in less.steps] == list(range(1, len(less.steps) + 1))
    assert all(k < step.id for step in less.steps for k in step.depends_on())
    assert nx.is_directed_acyclic_graph(less.graph())
    assert parse_plan(print_plan(less)) == less


def test_only_a_plan_without_steps_is_a_refusal():
    assert Plan().refused
    assert not ONE.refused


@pytest.mark.parametrize("text", ["", "  \n", "1. join()", "join()<END_OF_PLAN>", "3. join()\n<END_OF_PLAN>"])
def test_the_empty_plan_may_be_written(text):
    assert parse_written(text) == Plan()


@pytest.mark.parametrize("text", ['find("Ines")', "nothing", "Thought: no tool", "1) find()"])
def test_a_written_plan_without_a_step_is_an_error(text):
    with pytest.raises(PlanError, match="holds no step"):
        parse_written(text)
