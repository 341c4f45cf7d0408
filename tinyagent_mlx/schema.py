"""Encode what tools.yaml says into the vectors that the planner points at. Knows texts and vectors, no plans.

A tool is the mean of its description's vector and that of its example requests, so that examples pull it towards the way
its user asks for it, and a tool without any still has its words.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import tinyagent_mlx.device  # noqa: F401  (before MLX)

import mlx.core as mx
import numpy as np

from tinyagent_mlx.decisions import Layout
from tinyagent_mlx.encoder import WordTokenizer
from tinyagent_mlx.pointer import PointerModel, Schema, direction
from tinyagent_mlx.vectorcache import Vectors
from tinyagent_mlx.words import split_words

AT_ONCE = 64  # texts a pass, so that a thousand tools need no more memory than a few


def encode_schema(
    model: PointerModel, tokenizer: WordTokenizer, layout: Layout, known: Vectors | None = None
) -> Schema:
    """The vectors of a toolbox, without gradients; `known` are those that need not be made again."""
    tools, slots, constants = (_sentences(model, tokenizer, texts, known) for texts in layout.texts())
    requests, owners = layout.example_requests()
    if requests:
        shares = mx.array(shares_of(owners, len(layout.tools)))
        tools = model.unit(tools + shares @ _sentences(model, tokenizer, requests, known))
    schema = Schema(tools, slots, constants)
    mx.eval(vars(schema))
    return schema


@dataclass(frozen=True)
class Asks:
    """How tools are asked for, as unit vectors [N, e]: descriptions and example requests; `owners` [N] are tool numbers."""

    vectors: mx.array
    owners: np.ndarray

    def nearness(self, request: mx.array, tools: int) -> np.ndarray:
        """The cosine of a request's vector [e] with each tool's nearest ask: [tools], -1 where a tool has none."""
        out = np.full(tools, -1.0, np.float32)
        if len(self.owners):
            np.maximum.at(out, self.owners, np.array(self.vectors @ direction(request)))
        return out


def encode_asks(
    model: PointerModel, tokenizer: WordTokenizer, layout: Layout, names: Collection[str], known: Vectors | None = None
) -> Asks:
    """The asks of the named tools."""
    texts = [(text, n) for n, text in enumerate(layout.texts()[0])] + list(zip(*layout.example_requests(), strict=True))
    wanted = [(text, n) for text, n in texts if layout.tools.names[n] in names]
    vectors = _sentences(model, tokenizer, [text for text, _ in wanted], known) * model.args.encoder.hidden_size**-0.5
    mx.eval(vectors)
    return Asks(vectors, np.array([n for _, n in wanted], np.int64))


def shares_of(owners: Sequence[int], tools: int) -> np.ndarray:
    """The matrix [tools, examples] that takes the mean of each tool's examples; a row of zeros where it has none."""
    counts = np.bincount(owners, minlength=tools)
    out = np.zeros((tools, len(owners)), np.float32)
    out[owners, np.arange(len(owners))] = 1 / counts[list(owners)]
    return out


def _sentences(model: PointerModel, tokenizer: WordTokenizer, texts: Sequence[str], known: Vectors | None) -> mx.array:
    """Vectors [N, e], N may be 0."""
    if not texts:
        return mx.zeros((0, model.args.encoder.hidden_size))

    def encode(new: Sequence[str]) -> mx.array:
        return _encoded(model, tokenizer, new)

    return encode(texts) if known is None else known.of(texts, encode)


def _encoded(model: PointerModel, tokenizer: WordTokenizer, texts: Sequence[str]) -> mx.array:
    """Each text is encoded once, among others of its length, so that little is padding."""
    unique = list(dict.fromkeys(texts))
    words = [[word.text for word in split_words(text)] for text in unique]
    order = sorted(range(len(unique)), key=lambda index: len(words[index]))
    parts = []
    for start in range(0, len(order), AT_ONCE):
        batch = tokenizer.batch([words[index] for index in order[start : start + AT_ONCE]])
        valid = mx.array(batch.valid)
        parts.append(model.sentence_vectors(mx.array(batch.tokens), mx.array(batch.shapes), valid))
        mx.eval(parts[-1])
    row = {unique[index]: place for place, index in enumerate(order)}
    return mx.concatenate(parts)[mx.array([row[text] for text in texts])]
