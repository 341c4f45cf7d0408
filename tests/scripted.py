"""Stand-ins for a language model: one that wants to write a given text, one that throws dice."""

from __future__ import annotations

import tinyagent_mlx.device  # noqa: F401  (before MLX)

import mlx.core as mx
import mlx.nn as nn
from llguidance import LLTokenizer
from tokenizers import Tokenizer

from tinyagent_mlx.grammar import MORE

EACH = 24  # of a pass's last tokens, what may follow is told for each


class ReadTokens:
    """A prompt cache that holds the tokens themselves."""

    def __init__(self, trimmable: bool):
        self.tokens: list[int] = []
        self.trimmable = trimmable

    @property
    def state(self) -> list[mx.array]:
        return []

    def is_trimmable(self) -> bool:
        return self.trimmable

    def trim(self, count: int) -> int:
        del self.tokens[len(self.tokens) - count :]
        return count


class Scripted(nn.Module):
    """Behind a prompt that ends in "Plan:", prefers the tokens that go on with `script`; `passes` lists their sizes.

    While the prompt tells of more tools, `asks` is the script, if there is one. Where the plan has left the script, every
    token is as good as another.
    """

    def __init__(self, tokenizer: Tokenizer, script: str, asks: str = "", trimmable: bool = True):
        super().__init__()
        self.script, self.asks, self.trimmable = script, asks, trimmable
        self.passes: list[int] = []
        self.prompts: set[str] = set()
        self._tokens = LLTokenizer(tokenizer.to_str(), eos_token=1)
        self._spelled = [self._tokens.decode_str([token]) for token in range(self._tokens.vocab_size)]

    def make_cache(self) -> list[ReadTokens]:
        return [ReadTokens(self.trimmable)]

    def __call__(self, tokens: mx.array, cache: list[ReadTokens]) -> mx.array:
        cache[0].tokens += tokens[0].tolist()  # type: ignore[arg-type]
        self.passes.append(tokens.shape[1])
        read = cache[0].tokens
        rows = [self._scores(read[: len(read) - back]) for back in reversed(range(min(tokens.shape[1], EACH)))]
        return mx.array([rows[:1] * (tokens.shape[1] - len(rows)) + rows])

    def _scores(self, read: list[int]) -> list[float]:
        prompt, _, written = self._tokens.decode_str(read).rpartition("Plan:\n")
        self.prompts.add(prompt)
        scores = [0.0] * len(self._spelled)
        script = self.asks if self.asks and MORE in prompt else self.script
        if script.startswith(written):
            rest = script[len(written) :]
            for token, text in enumerate(self._spelled):
                if text and rest.startswith(text):
                    scores[token] = 10.0 * len(text)
        return scores


class Dice(nn.Module):
    """Any token may come; quotes come more often, so that texts end."""

    def __init__(self, tokenizer: Tokenizer, seed: int):
        super().__init__()
        tokens = LLTokenizer(tokenizer.to_str(), eos_token=1)
        texts = [tokens.decode_str([token]) for token in range(tokens.vocab_size)]
        self._bonus = mx.array([4.0 if text.startswith('"') else 0.0 for text in texts])
        mx.random.seed(seed)

    def make_cache(self) -> list[ReadTokens]:
        return [ReadTokens(trimmable=True)]

    def __call__(self, tokens: mx.array, cache: list[ReadTokens]) -> mx.array:
        cache[0].tokens += tokens[0].tolist()  # type: ignore[arg-type]
        logits = self._bonus + mx.random.normal(self._bonus.shape)
        return mx.broadcast_to(logits, (1, tokens.shape[1], logits.size))
