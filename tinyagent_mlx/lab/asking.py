"""Ask a teacher for requests and plans for sampled tools, and keep what passes the checks.

Every eighth question asks for requests that no tool serves. Knows nothing of what the teacher is.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator

from tinyagent_mlx.errors import PlanError
from tinyagent_mlx.lab.corpus import REGISTERS
from tinyagent_mlx.lab.dataset import Case, Sieve, make_case, some_moment
from tinyagent_mlx.lab.teacher import Teacher
from tinyagent_mlx.plan import END, JOIN, Plan, parse_plan, print_plan
from tinyagent_mlx.prompt import choose_examples, tool_block
from tinyagent_mlx.toolbox import Argument, Toolbox

REFUSED = 8  # one question in so many is for requests to refuse
WANTED = 5  # requests in one answer
PATIENCE = 40  # questions in a row without a row to keep
_TOOLS, _WEIGHTS = (1, 2, 3, 4), (4, 4, 2, 1)  # how many tools a question is about

_REGISTERS = {
    "terse": "terse, a few words",
    "polite": "polite",
    "chatty": "chatty, with a word of background",
    "indirect": "indirect: they say what is needed and not what to do",
    "question": "questions",
    "voice": "transcripts of speech, without capitals and punctuation",
    "hurried": "typed in a hurry, with typing errors outside names and values",
    "nonnative": "in the English of somebody who learned it late",
    "british": "in British English",
    "indian": "in Indian English",
    "formal": "formal",
}
_LAYOUT = f"""Answer in this layout and write nothing else:

Request: <one line>
Plan:
1. <call>
2. {JOIN}(){END}
"""


def ask_for_cases(
    teacher: Teacher,
    tools: Toolbox,
    count: int,
    sieve: Sieve,
    seed: int = 0,
    patience: int = PATIENCE,
    progress: Callable[[int], None] = lambda rows: None,
) -> Iterator[Case]:
    """Yield up to `count` rows; fewer when `patience` questions in a row gave none. `sieve` counts what was dropped."""
    rng = random.Random(seed)
    fruitless = number = 0
    while sieve.kept < count and fruitless < patience:
        number += 1
        refuse = number % REFUSED == 0
        wanted = tools if refuse else sample_tools(tools, rng)
        register = rng.choice(REGISTERS)
        before = sieve.kept
        for query, plan in read_answer(teacher.ask(write_prompt(tools, wanted, register, refuse)), sieve):
            if sieve.kept < count and _answers(plan, wanted, refuse, sieve) and sieve.admit(query, plan):
                yield make_case(query, plan, tools, rng, ["teacher", register], some_moment(rng))
        fruitless = fruitless + 1 if sieve.kept == before else 0
        progress(sieve.kept)


def sample_tools(tools: Toolbox, rng: random.Random) -> Toolbox:
    """A few tools, with the tools that give them what they can't take from a request."""
    names = set(rng.sample(tools.names, min(len(tools), rng.choices(_TOOLS, _WEIGHTS)[0])))
    taken = {returns for name in names for argument in tools[name].arguments for returns in _takes(argument)}
    return tools.subset(names | {tool.name for tool in tools if tool.returns in taken and tool.effect == "read"})


def _takes(argument: Argument) -> frozenset[str]:
    """The return types that belong to an argument: an address, a number, a path."""
    accepted = argument.type.item.accepts
    return frozenset() if "*" in accepted else accepted - {"url"}


def write_prompt(tools: Toolbox, wanted: Toolbox, register: str, refuse: bool) -> str:
    """The question: the tools, the rules, an example, and what is asked for."""
    blocks = ["You write training data for an assistant. It plans a request as numbered calls of tools.", "Tools:"]
    blocks += [tool_block(tool) for tool in wanted]
    rules = [
        *tools.rules,
        'Write "$k" for the result of line k.',
        "Every name, address, number, date and file of a plan is in its request, word for word; dates stay in words.",
    ]
    blocks.append("\n".join(["Rules:", *(f"- {rule}" for rule in rules)]))
    blocks += [
        f"Example:\n\nRequest: {example.request}\nPlan:\n{print_plan(example.plan, join=True)}"
        for example in choose_examples(wanted, 2)
    ]
    what = (
        "that none of the tools can serve (general questions, chat, services that are not in the list); their plan is "
        f"the line 1. {JOIN}(){END} alone"
        if refuse
        else "that need some or all of these tools, in several steps where that is natural, with fresh names and matters"
    )
    blocks.append(f"Write {WANTED} different requests {what}. The requests are {_REGISTERS[register]}.")
    return "\n\n".join([*blocks, _LAYOUT])


def read_answer(answer: str, sieve: Sieve) -> Iterator[tuple[str, Plan]]:
    """Yield the requests of an answer with their plans; what is none is dropped."""
    answer = re.sub(r"^\s*```.*$", "", answer, flags=re.MULTILINE)
    blocks = re.split(r"^[\s#*>\d.)-]*Request[*\s\d]*:\**", answer, flags=re.MULTILINE | re.IGNORECASE)[1:]
    if not blocks:
        sieve.drop("no request in the answer")
    for block in blocks:
        query, _, written = re.sub(r"^[\s*]*Plan[*\s]*:\**", "Plan:", block, flags=re.MULTILINE).partition("\nPlan:")
        closed = re.search(rf"^\s*\d+\s*\.\s*{JOIN}\s*\(", written, re.MULTILINE)
        if not closed:
            sieve.drop("plan without an end")
            continue
        try:
            plan = parse_plan(written)
        except PlanError:
            sieve.drop("plan does not parse")
            continue
        yield " ".join(query.split()).strip('"“”'), plan


def _answers(plan: Plan, wanted: Toolbox, refuse: bool, sieve: Sieve) -> bool:
    """Whether a plan is of the kind that was asked for."""
    if plan.refused != refuse:
        sieve.drop("plan where a refusal was asked for" if refuse else "refusal where a plan was asked for")
        return False
    if any(step.tool not in wanted for step in plan.steps):
        sieve.drop("unknown tool")
        return False
    return True
