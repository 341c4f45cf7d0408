"""Say a wording as somebody else might: another way (`ways`), in other words (`rephrase`), more politely, beside small talk.

What tells a toolbox's plans apart, the words of its choices, stays. Knows wordings, and of the model its word vectors.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tinyagent_mlx.lab import own, ways
from tinyagent_mlx.lab.corpus import Wording
from tinyagent_mlx.lab.rephrase import Rephraser
from tinyagent_mlx.lab.ways import Ways
from tinyagent_mlx.toolbox import Tool
from tinyagent_mlx.words import split_words


@dataclass(frozen=True)
class Paraphraser:
    """Gives wordings in other ways and other words, each as likely as `restated` and `rephrased` say.

    `asked`: all wordings can stand after "could you", not only those that were said another way.
    """

    ways: Ways
    rephraser: Rephraser
    restated: float
    rephrased: float
    asked: bool = True

    def paraphrase(self, wording: Wording, rng: random.Random) -> Wording:
        """The wording as somebody else might say it."""
        text, may_be_asked = wording.text, self.asked
        if rng.random() < self.restated:
            text, may_be_asked = self.ways.other(text, rng)
            may_be_asked = may_be_asked and (self.asked or text not in wording.text)
        if rng.random() < self.rephrased:
            text = self.rephraser.text(self.ways.words(text, rng), rng)
        return replace(wording, text=own.surrounded(text, rng, may_be_asked))


def paraphraser_of(
    tools: Iterable[Tool], said: Iterable[str], vectors: np.ndarray, pieces: Sequence[str], restated: float, rephrased: float,
    asked: bool = True,
) -> Paraphraser:  # fmt: skip
    """The paraphraser of requests for some tools; `said` are wordings, whose words nothing else becomes.

    `vectors` [V, e] are the encoder's word vectors, `pieces` the V pieces of its vocabulary.
    """
    choices = _words(
        text
        for tool in tools
        for argument in tool.arguments
        for choice in argument.choices.items()
        for text in map(str, choice)
    )
    rephraser = Rephraser(vectors, pieces, choices, _words(said))
    return Paraphraser(Ways(ways.groups(), ways.words(), choices, choices), rephraser, restated, rephrased, asked)


def _words(texts: Iterable[str]) -> set[str]:
    """Their words, in lower case."""
    return {word.text.lower() for text in texts for word in split_words(text)}
