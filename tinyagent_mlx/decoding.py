"""Text under a grammar from a language model: the only module that knows both MLX and llguidance.

A `Session` reads a prompt and writes lines, each under its own grammar, greedily. Tokens that the grammar forces cost
no pass of the network: they wait and are read together with the next token that was a choice. So may tokens be that are
only guessed, from what the prompt itself goes on with: of these the network keeps what it would have chosen. A `Decoder`
keeps the network's memory of the last prompt, and the next one reads only from where it differs; what all prompts begin
with also lies on disk. It knows nothing of tools and plans.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from tinyagent_mlx import device  # before MLX

# isort: split
import jinja2
import mlx.core as mx
import mlx.nn as nn
import mlx_lm
import numpy as np
from llguidance import LLMatcher, LLTokenizer
from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask
from mlx.utils import tree_map
from mlx_lm.models.cache import can_trim_prompt_cache, make_prompt_cache, trim_prompt_cache
from mlx_lm.utils import dequantize_model, get_total_parameters

from tinyagent_mlx.errors import PlannerError
from tinyagent_mlx.lookup import LONGEST, Lookup
from tinyagent_mlx.promptcache import LEAST, Heads, stamp

_CHUNK = 512  # tokens of a prompt read in one pass: of the last ones, all logits are made
_REWRITING = (
    "Precompiled",
    "Nmt",
    "NFC",
    "NFD",
    "NFKC",
    "NFKD",
    "Strip",
    "StripAccents",
    "Lowercase",
)  # of a normalizer
_SHARE_OF_MEMORY = 0.5  # that weights taken out of quantization may fill


@dataclass
class _Memory:
    """A prompt cache and the tokens it has read."""

    cache: list[Any]
    tokens: list[int]


class Decoder:
    """A model with its tokenizer, as `mlx_lm.load` gives them. `reuse` keeps the memory of a prompt for the next; `chat`
    puts prompts into the tokenizer's chat template, where it has one; `heads` is where the beginnings of prompts lie.

    The text does not depend on what is for measuring only: without `together` each token takes a pass of its own, and
    `draft` is how many tokens are guessed at most. Arrays that are kept are evaluated: sessions may run in one thread
    after another.
    """

    def __init__(
        self, model: nn.Module, tokenizer: Any, reuse: bool = True, chat: bool = True, heads: Heads | None = None,
        together: bool = True, draft: int = 0,
    ):  # fmt: skip
        self.model, self.tokenizer, self.reuse, self.chat, self.heads = model, tokenizer, reuse, chat, heads
        self.together, self.draft = together, draft
        self._grammar_tokens = _grammar_tokenizer(tokenizer)
        self._kept: _Memory | None = None
        self.matcher = lru_cache(64)(self._matcher)
        self._encoded = lru_cache(8)(self.encode)

    def begin(self, prompt: str, written: str = "", head: str = "") -> Session:
        """Open a session on a prompt; `written` is text that stands after it already, `head` what others begin with too."""
        tokens = self.encode(prompt, written)
        return Session(self, tokens, _common(self._encoded(head), tokens[:-1]) if head and self.heads else 0)

    def encode(self, prompt: str, written: str = "") -> list[int]:
        return encode(self.tokenizer, prompt, written, self.chat)

    def _matcher(self, grammar: str) -> LLMatcher:
        """A fresh matcher; to be copied, not used."""
        matcher = LLMatcher(self._grammar_tokens, LLMatcher.grammar_from_lark(grammar))
        if matcher.is_error():
            raise PlannerError(f"the grammar does not compile: {matcher.get_error().splitlines()[0]}")
        return matcher

    def text(self, tokens: Sequence[int]) -> str:
        """What tokens of a line spell."""
        return self._grammar_tokens.decode_bytes(list(tokens)).decode("utf-8", "replace")

    @property
    def vocabulary(self) -> int:
        """Tokens of the tokenizer; the model may have fewer or more."""
        return self._grammar_tokens.vocab_size

    def remember(self, prompt: list[int], head: int) -> tuple[_Memory, int]:
        """The memory for a prompt, and how many of its tokens are read already: all but the last at most.

        The first `head` tokens are looked for on disk where the prompt before has less in common with this one; what is to
        be kept there is read by a memory that has read nothing else.
        """
        kept, self._kept = self._kept, None  # a second session at the same time gets a memory of its own
        common = _common(kept.tokens, prompt[:-1]) if kept else 0
        if kept and len(kept.tokens) > common and not can_trim_prompt_cache(kept.cache):
            kept, common = None, 0
        if self.heads and head > common:
            cache = self.heads.read(prompt[:head])
            return (_Memory(cache, prompt[:head]), head) if cache else (_Memory(make_prompt_cache(self.model), []), 0)
        if kept is not None:
            trim_prompt_cache(kept.cache, len(kept.tokens) - common)
            return _Memory(kept.cache, prompt[:common]), common
        return _Memory(make_prompt_cache(self.model), []), 0

    def like(self, **changes: Any) -> Decoder:
        """Another decoder over the same weights, with another value for some of the arguments."""
        same = {name: getattr(self, name) for name in ("reuse", "chat", "heads", "together", "draft")}
        return Decoder(self.model, self.tokenizer, **{**same, **changes})

    def keep(self, memory: _Memory) -> None:
        if self.reuse:
            self._kept = memory


class Session:
    """One prompt and the lines after it. `close` hands the memory back."""

    def __init__(self, decoder: Decoder, prompt: list[int], head: int = 0):
        self._decoder = decoder
        head = head if head >= LEAST else 0
        self._memory, reused = decoder.remember(prompt, head)
        self._pending = prompt[reused:]  # taken, not yet read
        self._ahead: list[int] = []  # guessed and read, not yet taken
        self._rows: list[mx.array] = []  # logits after what is read, and after each that is ahead
        self._bits = allocate_token_bitmask(1, decoder.vocabulary)
        self._lookup = Lookup(prompt) if decoder.draft and can_trim_prompt_cache(self._memory.cache) else None
        self.prompt_tokens, self.generated_tokens, self.forward_passes = len(prompt), 0, 0
        if decoder.heads and head > reused:
            self._read_head(decoder.heads, head - reused)

    def _read_head(self, heads: Heads, size: int) -> None:
        """Read the next `size` tokens of the prompt, and keep what was read up to there."""
        rest = self._pending[size:]
        del self._pending[size:]
        self._read([])
        mx.eval([layer.state for layer in self._memory.cache])
        heads.write(self._memory.tokens, self._memory.cache)
        self._pending, self._rows = rest, []

    def write(self, grammar: str, most: int) -> tuple[str, float] | None:
        """Write one line: its text, and the mean probability of its choices (1.0 where the grammar left none).

        None when it would take more than `most` tokens. Raises `PlannerError`.
        """
        matcher = self._decoder.matcher(grammar).deep_copy()
        tokens = self._forced(matcher)
        chances: list[float] = []
        while not matcher.is_stopped():
            if len(tokens) >= most:
                return None
            legal = self._legal(matcher)
            if legal.sum() == 1:
                token = int(legal.argmax())
            else:
                token, chance = self._choose(matcher, legal)
                chances.append(chance)
            tokens += self._take(matcher, [token]) + self._forced(matcher)
        if matcher.is_error():
            raise PlannerError(f"the grammar stopped: {matcher.get_error().splitlines()[0]}")
        return self._decoder.text(tokens), sum(chances) / len(chances) if chances else 1.0

    def _forced(self, matcher: LLMatcher) -> list[int]:
        return self._take(matcher, matcher.compute_ff_tokens())

    def _take(self, matcher: LLMatcher, tokens: list[int]) -> list[int]:
        if tokens and not matcher.consume_tokens(tokens):
            raise PlannerError(f"the model gives no token that may stand here: {matcher.get_error().splitlines()[0]}")
        for token in tokens:
            if self._ahead[:1] == [token]:
                del self._ahead[0], self._rows[0]
            else:
                self._drop_ahead()
                self._pending.append(token)
        self.generated_tokens += len(tokens)
        return tokens

    def _drop_ahead(self) -> None:
        """The guess was wrong: what was read of it is forgotten."""
        if self._ahead:
            trim_prompt_cache(self._memory.cache, len(self._ahead))
            del self._memory.tokens[-len(self._ahead) :]
        self._ahead, self._rows = [], []

    def _legal(self, matcher: LLMatcher) -> np.ndarray:
        """Which tokens may come next: bool [vocabulary of the tokenizer]."""
        fill_next_token_bitmask(matcher, self._bits)
        bits = np.unpackbits(self._bits.view(np.uint8)[0], bitorder="little")
        return bits[: self._decoder.vocabulary].astype(bool)

    def _choose(self, matcher: LLMatcher, legal: np.ndarray) -> tuple[int, float]:
        """The most likely legal token, and its probability among the legal ones."""
        if self._pending:
            self._read(self._guess(matcher))
        logits = self._rows[0]
        mask = np.zeros(logits.shape[0], bool)
        size = min(len(mask), len(legal))
        mask[:size] = legal[:size]
        scores = mx.where(mx.array(mask), logits, -mx.inf)
        best = mx.argmax(scores)
        chance = mx.exp(scores[best] - mx.logsumexp(scores))
        mx.eval(best, chance, self._rows, [layer.state for layer in self._memory.cache])
        probability = float(np.array(chance))
        if not probability > 0:
            raise PlannerError("the model's logits are no numbers")
        return int(np.array(best)), probability

    def _guess(self, matcher: LLMatcher) -> list[int]:
        """Tokens that the grammar allows after what is pending: looked up in the prompt, and forced where it forces."""
        guessed: list[int] = []
        if self._lookup is None:
            return guessed
        said, matcher = (self._memory.tokens + self._pending)[-LONGEST:], matcher.deep_copy()
        while len(guessed) < self._decoder.draft and not matcher.is_stopped():
            tokens = matcher.compute_ff_tokens()
            if not tokens:
                found = self._lookup.after(said + guessed)
                tokens = [found] if found is not None else []
            if not tokens or matcher.validate_tokens(tokens) < len(tokens):
                break
            matcher.consume_tokens(tokens)
            guessed += tokens
        return guessed

    def _read(self, guessed: list[int]) -> None:
        """Feed what is pending and what is guessed; gives logits, float32 [vocabulary of the model], for each way on."""
        cache, step = self._memory.cache, self._step
        while len(self._pending) > step:
            self._decoder.model(mx.array(self._pending[:step])[None], cache=cache)
            mx.eval([layer.state for layer in cache])
            self._advance(step)
            step = self._step
        logits = self._decoder.model(mx.array(self._pending + guessed)[None], cache=cache)
        self._advance(len(self._pending))
        self._memory.tokens += guessed
        rows = logits[0, -1 - len(guessed) :].astype(mx.float32)
        self._ahead, self._rows = list(guessed), [rows[index] for index in range(len(guessed) + 1)]

    @property
    def _step(self) -> int:
        """How many tokens the next pass may read: those of the prompt by the chunk."""
        prompt = self.prompt_tokens - len(self._memory.tokens)
        return _CHUNK if self._decoder.together else max(1, min(_CHUNK, prompt))

    def _advance(self, count: int) -> None:
        self.forward_passes += 1
        self._memory.tokens += self._pending[:count]
        del self._pending[:count]

    def close(self) -> None:
        self._decoder.keep(self._memory)


def encode(tokenizer: Any, prompt: str, written: str = "", chat: bool = True) -> list[int]:
    """Tokens of a prompt, with `chat` in the tokenizer's template where it has one; `written` is text that stands after it.

    What looks like a special token is taken apart: it came in with a request.
    """
    for special in _special_texts(tokenizer):
        prompt = prompt.replace(special, f"{special[0]} {special[1:]}")
    if not (chat and tokenizer.has_chat_template):
        return list(tokenizer.encode(prompt + written))
    try:
        text = tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True, enable_thinking=False
        )
    except jinja2.TemplateError as error:
        raise PlannerError(f"the tokenizer's chat template fails: {error}") from error
    return list(tokenizer.encode(text + written, add_special_tokens=False))


def _common(before: Sequence[int], now: Sequence[int]) -> int:
    """How many tokens two sequences share at their beginning."""
    size = min(len(before), len(now))
    return next((index for index in range(size) if before[index] != now[index]), size)


def _grammar_tokenizer(tokenizer: Any) -> LLTokenizer:
    """The tokenizer as the grammar's engine reads it. Raises `PlannerError` on one without a fast backend."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    ends = sorted(tokenizer.eos_token_ids)
    if backend is None or not ends:
        what = "no fast tokenizer (tokenizer.json)" if backend is None else "no end-of-text token"
        raise PlannerError(f"the model has {what}, which decoding under a grammar needs")
    copied = type(backend).from_str(backend.to_str())
    copied.no_padding()
    copied.no_truncation()
    return LLTokenizer(_to_the_letter(copied.to_str()), eos_token=ends)


def _to_the_letter(tokenizer: str) -> str:
    """A tokenizer.json whose normalizer keeps the text: SentencePiece's own default would spell a forced line break as a blank."""
    content = json.loads(tokenizer)
    normalizer = content.get("normalizer") or {}
    rules = normalizer.get("normalizers", [normalizer] if normalizer else [])
    kept = [rule for rule in rules if rule["type"] not in _REWRITING]
    if len(kept) == len(rules):
        return tokenizer
    content["normalizer"] = {"type": "Sequence", "normalizers": kept}
    return json.dumps(content)


def _special_texts(tokenizer: Any) -> list[str]:
    """The longest first."""
    tokens = getattr(tokenizer, "added_tokens_decoder", {}).values()
    return sorted(
        {token.content for token in tokens if token.special and len(token.content) > 1}, key=len, reverse=True
    )


def load_folder(folder: Path) -> tuple[nn.Module, Any, dict[str, Any]]:
    """Load a model folder of mlx-lm: model, tokenizer and configuration. Raises `PlannerError` when it is none."""
    if not (folder / "config.json").is_file():
        raise PlannerError(f"{folder} is no model folder: it has no config.json")
    try:
        model, tokenizer, config = mlx_lm.load(str(folder), return_config=True)  # type: ignore[misc]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, ImportError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise PlannerError(f"{folder} is no model that mlx-lm can load: {reason}") from error
    return model, tokenizer, config


def load_decoder(folder: Path, chat: bool = True, heads: Path | None = None, expand: bool | None = None) -> Decoder:
    """Load a model folder as a decoder; `heads` is the folder of the beginnings of prompts. Raises `PlannerError`.

    `expand` takes weights out of quantization and half precision; None leaves it to the machine.
    """
    model, tokenizer, _ = load_folder(folder)
    if not device.on_gpu() if expand is None else expand:
        model = for_cpu(model)
    return Decoder(model, tokenizer, chat=chat, heads=Heads(heads, stamp(folder, model)) if heads else None)


def for_cpu(model: Any) -> Any:
    """Weights as float32, where memory allows: products of quantized or half-precision numbers are slow on a CPU."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if 4 * get_total_parameters(model) > _SHARE_OF_MEMORY * memory:
        return model
    model = dequantize_model(model)
    half = (mx.float16, mx.bfloat16)
    model.update(tree_map(lambda x: x.astype(mx.float32) if x.dtype in half else x, model.parameters()))
    mx.eval(model.parameters())
    return model
