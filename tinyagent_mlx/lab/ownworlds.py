"""What fine-tuning learns from: the user's own tools, their examples, and the worlds that show both asked for.

An example becomes a wording with slots and is said in other ways, words and frames (`paraphrase`), alone, joined
with the corpus's wordings, and passing results to shipped tools and back (`chains`). What is asked for is seldom shown as an
example at the same time: a request to come will be none either. Knows wordings and toolboxes, and of the model its word vectors.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import tinyagent_mlx.device  # noqa: F401  (before MLX)

import mlx.core as mx
import numpy as np

from tinyagent_mlx.errors import ConfigError
from tinyagent_mlx.lab import chains, own, train_planner
from tinyagent_mlx.lab.corpus import Wording
from tinyagent_mlx.lab.generate import Generator, Mix
from tinyagent_mlx.lab.madeup import Drawing, World
from tinyagent_mlx.lab.paraphrase import Paraphraser, paraphraser_of
from tinyagent_mlx.pointer import PointerModel
from tinyagent_mlx.toolbox import Example, Toolbox

HELD = 4  # every fourth example is held back, where there are at least twice as many
OLD_CASES = 200  # requests for shipped tools, from held-back wordings
HIDDEN, BARE = 0.5, 0.15  # how likely an example is hidden from its tool in a world; worlds that show none
ALSO_SHOWN = 0.25  # how likely an example that is shown is asked for too
UNASKED = replace(train_planner.MIX, refusals=0.25, composed=0.23, asked=0.4)
PASSED_ON, AFTER, TOLD, NAMED = 0.1, 0.06, 0.12, 0.12  # chains with shipped tools at most, to each own request
VARIANTS = 4  # of each such chain whose result is named in one clause
QUOTED = ("task", "message", "content", "title")  # slots that quote own requests
QUOTING = 0.3  # of the wordings have such slots
SAID = 16  # times each example is said, otherwise each time, in a world
RESTATED, REPHRASED = 0.6, 0.4  # how likely an own request is said another way, and in other words
REGISTERS, SHARES = ("terse", "voice", "hurried"), (7, 1, 2)
MIX = Mix(refusals=0.15, singles=0.35, multiples=0.15, composed=0.35, asked=0.6, lengths=(6, 2, 1))


@dataclass(frozen=True)
class Lesson:
    """What a fine-tuning is about: all tools, the names of the own ones, and examples that are shown or held back."""

    tools: Toolbox
    names: tuple[str, ...]
    shown: tuple[Example, ...]
    held: tuple[Example, ...]
    old_cases: int = OLD_CASES

    @cached_property
    def showing(self) -> Toolbox:
        """The toolbox without the examples that are held back."""
        return _without(self.tools, set(self.held))


def lesson(tools: Toolbox, shipped: Toolbox, more: Sequence[Example] = ()) -> Lesson:
    """Find the own tools and split their examples; `more` are requests with plans beside those of tools.yaml.

    Raises `ConfigError` when there is no own tool or none has an example.
    """
    names = tuple(name for name in tools.names if name not in shipped)
    if not names:
        raise ConfigError("there is no tool of your own to fine-tune on: `tinyagent tools new` makes one")
    unique = {e.request: e for e in (*(e for name in names for e in tools[name].examples), *more)}
    examples = tuple(unique.values())
    if not examples:
        raise ConfigError(f"none of your tools ({', '.join(names)}) has an example to learn from; a dozen do well")
    held = examples[HELD - 1 :: HELD] if len(examples) >= 2 * HELD else ()
    return Lesson(tools, names, tuple(e for e in examples if e not in held), held)


def everything(about: Lesson) -> Lesson:
    """The lesson with nothing held back."""
    return replace(about, shown=(*about.shown, *about.held), held=())


class OwnWorlds:
    """Worlds of one toolbox, as `Batches` draws them: the user's requests mixed with the shipped corpus.

    `lures` are wordings of the corpus that sound like the own tools; `strange` are worlds of made-up tools beside these.
    """

    def __init__(
        self,
        about: Lesson,
        wordings: Sequence[Wording],
        dictionary: list[str],
        seed: int,
        paraphraser: Paraphraser | None = None,
        lures: Sequence[Wording] = (),
        strange: Drawing | None = None,
    ):
        self.strange = strange
        self.about, self.dictionary, self.seed = about, dictionary, seed
        self.paraphraser, self.lures = paraphraser, lures
        self.wordings = [w for w in wordings if all(step.tool in about.tools for step in w.plan.steps)]

    @cached_property
    def _asked(self) -> dict[Example, list[Wording]]:
        """Each example as wordings, filled with what all of them say."""
        tools, shown = self.about.tools, self.about.shown
        values = own.values(shown, tools)
        return {example: own.wordings(example, tools, values) for example in shown}

    def draw(self, number: int, rank: int = 0) -> World:
        """The world of a number: of four, the second asks for made-up tools, where there are any, and the last for shipped ones only."""
        if number % 4 == 1 and self.strange:
            return self.strange.draw(number, rank)
        return self._unasked(number, rank) if number % 4 == 3 else self._own(number, rank)

    def _own(self, number: int, rank: int) -> World:
        """The own tools asked for."""
        rng = random.Random(f"{self.seed}/own/{number}")
        hide = 1.0 if rng.random() < BARE else HIDDEN
        hidden = {example for example in self._asked if rng.random() < hide}
        drawn = [ws for e, ws in self._asked.items() if e in hidden or rng.random() < ALSO_SHOWN] or [
            *self._asked.values()
        ]
        asked = [self._said(_one(ws, rng), rng) for ws in drawn for _ in range(SAID)]
        asked += self._chained(asked, [ws[0] for ws in drawn], rng)
        tools = _without(self.about.tools, hidden.union(self.about.held))
        generator = Generator(self.wordings, tools, self.dictionary, self.seed, MIX, asked=asked)
        generator.rng.seed(f"{self.seed}/own/{number}/{rank}")
        return World(tools, generator)

    def _unasked(self, number: int, rank: int) -> World:
        """The own tools at hand, and nobody asks for them."""
        tools = self.about.showing
        generator = Generator(self._quoting, tools, self.dictionary, self.seed, UNASKED, asked=self.lures)
        generator.rng.seed(f"{self.seed}/unasked/{number}/{rank}")
        return World(tools, generator)

    @cached_property
    def _quoting(self) -> list[Wording]:
        """The corpus's wordings, some with an own request as what shall be remembered, told or written down.

        Not with one that asks for something: "text Ana what's playing" wants the answer texted.
        """
        tools, names = self.about.tools, self.about.names
        said = tuple(
            own.bare(e.request[:1].lower() + e.request[1:])
            for e in self.about.shown
            if all(step.tool in names and tools[step.tool].returns not in chains.GIVES for step in e.plan.steps)
        )
        values = dict.fromkeys(QUOTED, said)
        rng = random.Random(f"{self.seed}/quoting")
        return [replace(w, values=values) if said and rng.random() < QUOTING else w for w in self.wordings]

    def _chained(self, asked: Sequence[Wording], plain: Sequence[Wording], rng: random.Random) -> list[Wording]:
        """Some of what is asked for, with its result passed on to a shipped tool, or after one that gives it something.

        `plain` are the wordings of `asked` without frames of politeness.
        """
        tools, names = self.about.tools, self.about.names
        count = len(asked)
        on = list(chains.passed_on(asked, tools, names))
        takers = list(chains.taking(asked, self._givers, tools, names))
        after = [
            chains.after(rng.choice(givers), taker, rng)
            for taker, givers in rng.choices(takers, k=min(len(takers), round(AFTER * count)))
        ]
        after += rng.sample(on, min(len(on), round(PASSED_ON * count)))
        for find, share in ((chains.told, TOLD), (chains.named, NAMED)):
            found = [w for _ in range(VARIANTS) for w in find(plain, tools, names, rng)]
            found = [self._said(w, rng) for w in found]
            after += rng.sample(found, min(len(found), round(share * count)))
        return after

    @cached_property
    def _givers(self) -> list[Wording]:
        """Shipped wordings of one intent."""
        return [w for w in self.wordings if w.plan.steps and not any(s.tool in self.about.names for s in w.plan.steps)]

    def _said(self, wording: Wording, rng: random.Random) -> Wording:
        """The wording as somebody else might say it, in another manner."""
        if self.paraphraser:
            wording = self.paraphraser.paraphrase(wording, rng)
        else:
            wording = replace(wording, text=own.surrounded(wording.text, rng))
        return replace(wording, register=rng.choices(REGISTERS, SHARES)[0])


def _one(wordings: Sequence[Wording], rng: random.Random) -> Wording:
    """The example as it stands every other time, or with another choice."""
    return wordings[0] if rng.random() < 0.5 else rng.choice(wordings)


def _without(tools: Toolbox, hidden: Collection[Example]) -> Toolbox:
    fewer = (replace(tool, examples=tuple(e for e in tool.examples if e not in hidden)) for tool in tools)
    return Toolbox(tuple(fewer), tools.rules)


def paraphraser(model: PointerModel, pieces: Sequence[str], about: Lesson) -> Paraphraser:
    """The paraphraser of requests for the own tools. Near words are those of the model's own word vectors."""
    vectors = np.array(model.encoder.word_embeddings.weight.astype(mx.float32))
    tools, said = about.tools.subset(about.names), [example.request for example in about.shown]
    return paraphraser_of(tools, said, vectors, pieces, RESTATED, REPHRASED)
