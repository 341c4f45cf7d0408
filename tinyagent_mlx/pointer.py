"""The schema-guided pointer planner's network: a sentence encoder, and a small decoder that points.

The encoder reads the request. At each decision the decoder is asked about one thing (which tool next, or what fills
this argument slot) and scores the candidates of `decisions.py` by dot product: words by the encoder's vectors, tools,
slots and constants by vectors that the same encoder makes of their texts in tools.yaml, earlier steps by their tool and
first words. A tool is never an output number, so a new one needs no new weights.

Shapes: B requests, W words, D decisions, d decoder width, T tools, S slots, C constants, R steps.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import tinyagent_mlx.device  # noqa: F401  (before MLX)

import mlx.core as mx
import mlx.nn as nn

from tinyagent_mlx.decisions import KINDS, MAX_STEPS, SPAN_END, SPECIALS
from tinyagent_mlx.encoder import Encoder
from tinyagent_mlx.encoder import ModelArgs as EncoderArgs
from tinyagent_mlx.gelu import gelu


@dataclass
class ModelArgs:
    encoder: EncoderArgs = field(default_factory=EncoderArgs)
    hidden_size: int = 256
    num_hidden_layers: int = 3
    num_attention_heads: int = 8
    intermediate_size: int = 1024
    retrieval_size: int = 128

    def to_dict(self) -> dict:
        return asdict(self)

    @classmethod
    def from_dict(cls, config: dict) -> ModelArgs:
        return cls(**{**config, "encoder": EncoderArgs(**config["encoder"])})


@dataclass(frozen=True)
class Schema:
    """Sentence vectors of a toolbox: tools [T, e], slots [S, e], constants [C, e], with e the encoder's width."""

    tools: mx.array
    slots: mx.array
    constants: mx.array


@dataclass(frozen=True)
class Memory:
    """What the encoder made of the requests.

    states [B, L, d] and their mask [B, 1, 1, L] for cross-attention; words [B, W, e] with valid [B, W].
    """

    states: mx.array
    mask: mx.array
    words: mx.array
    valid: mx.array


class DecoderLayer(nn.Module):
    def __init__(self, args: ModelArgs):
        super().__init__()
        d = args.hidden_size
        self.heads, self.scale = args.num_attention_heads, (d // args.num_attention_heads) ** -0.5
        self.self_norm, self.cross_norm, self.mlp_norm = nn.RMSNorm(d), nn.RMSNorm(d), nn.RMSNorm(d)
        self.qkv = nn.Linear(d, 3 * d, bias=False)
        self.self_out = nn.Linear(d, d, bias=False)
        self.cross_q = nn.Linear(d, d, bias=False)
        self.cross_kv = nn.Linear(d, 2 * d, bias=False)
        self.cross_out = nn.Linear(d, d, bias=False)
        self.up = nn.Linear(d, args.intermediate_size)
        self.down = nn.Linear(args.intermediate_size, d)
        self.rope = nn.RoPE(d // args.num_attention_heads)

    def _heads(self, x: mx.array) -> mx.array:
        return x.reshape(*x.shape[:2], self.heads, -1).transpose(0, 2, 1, 3)

    def _merge(self, x: mx.array) -> mx.array:
        return x.transpose(0, 2, 1, 3).reshape(x.shape[0], x.shape[2], -1)

    def keys_values(self, memory: Memory) -> tuple[mx.array, mx.array]:
        """What cross-attention reads, once a request: [B, heads, L, d / heads] each."""
        k, v = mx.split(self.cross_kv(memory.states), 2, axis=-1)
        return self._heads(k), self._heads(v)

    def __call__(self, x, crossed, cross_mask, mask=None, cache=None):
        q, k, v = (self._heads(y) for y in mx.split(self.qkv(self.self_norm(x)), 3, axis=-1))
        offset = cache[0].shape[2] if cache is not None else 0
        q, k = self.rope(q, offset=offset), self.rope(k, offset=offset)
        if cache is not None:
            k, v = mx.concatenate([cache[0], k], axis=2), mx.concatenate([cache[1], v], axis=2)
        y = mx.fast.scaled_dot_product_attention(q, k, v, scale=self.scale, mask=mask)
        x = x + self.self_out(self._merge(y))
        q = self._heads(self.cross_q(self.cross_norm(x)))
        y = mx.fast.scaled_dot_product_attention(q, *crossed, scale=self.scale, mask=cross_mask)
        x = x + self.cross_out(self._merge(y))
        return x + self.down(_gelu(self.up(self.mlp_norm(x)))), (k, v)


@dataclass(frozen=True)
class Looked:
    """What the retriever knows of a toolbox before any request: query, named, before [T, r]; direction [e, T]."""

    query: mx.array
    named: mx.array
    before: mx.array
    direction: mx.array


class Retrieval(nn.Module):
    """Score each tool for a request: the tool's vector attends to the request's tokens, a small head judges.

    Two cosines join in, of the tool's vector with the whole request and with its nearest token: they are what the
    pretrained encoder knows already, and carry to tools that training never showed.
    """

    def __init__(self, args: ModelArgs):
        super().__init__()
        e, r = args.encoder.hidden_size, args.retrieval_size
        self.query, self.key, self.value = nn.Linear(e, r), nn.Linear(e, r), nn.Linear(e, r)
        self.tool = nn.Linear(e, r)
        self.hidden, self.out = nn.Linear(3 * r, r), nn.Linear(r, 1)
        self.near = nn.Linear(2, 1, bias=False)
        self.near.weight = mx.full(self.near.weight.shape, 0.2)

    def look(self, tools: mx.array) -> Looked:
        """What the head makes of tools [T, e] whatever the request is."""
        named = self.tool(tools)
        size = named.shape[-1]
        before = named @ self.hidden.weight[:, size : 2 * size].T + self.hidden.bias
        return Looked(self.query(tools), named, before, direction(tools).T)

    def __call__(self, states: mx.array, mask: mx.array, looked: Looked) -> mx.array:
        """states [B, L, e], additive mask [B, L] → logits [B, T]: `out(gelu(hidden([found, named, found · named])))`."""
        k, v = self.key(states), self.value(states)
        size = k.shape[-1]
        weights = mx.softmax(looked.query @ (k * size**-0.5).swapaxes(-1, -2) + mask[:, None, :], axis=-1)
        of_found, of_both = self.hidden.weight[:, :size], self.hidden.weight[:, 2 * size :]
        both = (weights @ v) * looked.named
        judged = self.out(gelu(weights @ (v @ of_found.T) + both @ of_both.T + looked.before))
        return (judged + self.near(_cosines(states, mask, looked.direction)))[..., 0]


def _cosines(states: mx.array, mask: mx.array, named: mx.array) -> mx.array:
    """Ten times those of each tool's direction [e, T] with the mean of the request's tokens and with the nearest: [B, T, 2]."""
    valid = (mask == 0)[..., None]
    mean = (states * valid).sum(axis=1, keepdims=True) / valid.sum(axis=1, keepdims=True)
    tokens = mx.where(valid, direction(states) @ named, -1.0)
    return 10 * mx.stack([(direction(mean) @ named)[:, 0], tokens.max(axis=1)], axis=-1)


def _gelu(x: mx.array) -> mx.array:
    """`nn.gelu_approx`, its tanh as a logistic function: the same to rounding, a quarter faster on a CPU.

    The decoder's few numbers at a time take longer by `gelu`, which is more operations.
    """
    return x * mx.sigmoid(x * (1.5957691216 + 0.0713548163 * x * x))


def direction(vectors: mx.array) -> mx.array:
    """Vectors [..., e] brought to length 1."""
    return vectors / mx.linalg.norm(vectors, axis=-1, keepdims=True)


class PointerModel(nn.Module):
    def __init__(self, args: ModelArgs):
        super().__init__()
        e, d = args.encoder.hidden_size, args.hidden_size
        self.args = args
        self.encoder = Encoder(args.encoder)
        self.retrieval = Retrieval(args)
        self.memory = nn.Linear(e, d)
        self.kinds = nn.Embedding(KINDS, d)
        self.previous_kinds = nn.Embedding(KINDS + 1, d)
        self.specials = nn.Embedding(SPECIALS, d)
        self.step_numbers = nn.Embedding(MAX_STEPS + 1, d)
        self.tool_in, self.slot_in, self.constant_in = nn.Linear(e, d), nn.Linear(e, d), nn.Linear(e, d)
        self.word_in = nn.Linear(e, d)
        self.step_in = nn.Linear(2 * d, d)
        self.layers = [DecoderLayer(args) for _ in range(args.num_hidden_layers)]
        self.norm = nn.RMSNorm(d)
        self.special_key = nn.Embedding(SPECIALS, d)
        self.tool_key, self.constant_key = nn.Linear(e, d), nn.Linear(e, d)
        self.start_key, self.end_key = nn.Linear(e, d), nn.Linear(e, d)
        self.step_key = nn.Linear(d, d)
        self.query = nn.Linear(d, d)
        self.hint = mx.full((1,), 0.2)  # how much the retriever's logit counts where a tool is pointed at
        self.choice = nn.Linear(
            3, 1, bias=False
        )  # a constant's cosines with the request, and whether its words are said
        self.choice.weight = mx.array([[0.4, 0.5, 5.0]])

    def encode(self, tokens, shapes, valid) -> mx.array:
        """Hidden states [B, L, e] of token rows [B, L]."""
        return self.encoder(tokens, shapes, valid)

    def sentence_vectors(self, tokens, shapes, valid) -> mx.array:
        """Mean-pooled unit vectors [N, e] times √e, so that their entries are of order one."""
        states = self.encode(tokens, shapes, valid) * valid[..., None]
        return self.unit(states.sum(axis=1) / valid.sum(axis=1, keepdims=True))

    @staticmethod
    def unit(vectors: mx.array) -> mx.array:
        """Rows [N, e] at length √e."""
        return direction(vectors) * vectors.shape[-1] ** 0.5

    def remember(self, states: mx.array, valid: mx.array, first: mx.array, word_valid: mx.array) -> Memory:
        """Prepare encoder states for the decoder; `first` [B, W] is each word's first token."""
        words = mx.take_along_axis(states, first[..., None], axis=1)
        mask = mx.where(valid, 0.0, -1e9)[:, None, None, :]
        return Memory(self.memory(states), mask, words, word_valid)

    def retrieve(self, states: mx.array, valid: mx.array, schema: Schema, looked: Looked | None = None) -> mx.array:
        """Logits [B, T]: does the request need the tool? `looked` spares what is the same for every request."""
        return self.retrieval(states, mx.where(valid, 0.0, -1e9), looked or self.retrieval.look(schema.tools))

    def step_vectors(self, fixed: mx.array, words: mx.array, tools: mx.array, starts: mx.array) -> mx.array:
        """Vectors [B, R, d] of steps by their tool's number and the first word they point at (-1: none).

        `fixed` and `words` are what `tables()` gives.
        """
        tool = fixed[0][SPECIALS + mx.maximum(tools, 0)]
        word = mx.take_along_axis(words, mx.maximum(starts, 0)[..., None], axis=1)
        word = mx.where((starts >= 0)[..., None], word, 0.0)
        numbers = self.step_numbers.weight[1 : tools.shape[1] + 1]
        return self.step_in(mx.concatenate([tool, word], axis=-1)) + numbers

    def tables(self, schema: Schema, memory: Memory) -> tuple[mx.array, mx.array]:
        """What candidates look like as the previous decision: those before the steps [B, F, d], and words [B, W, d]."""
        fixed = mx.concatenate(
            [self.specials.weight, self.tool_in(schema.tools), self.constant_in(schema.constants)], axis=0
        )
        return mx.broadcast_to(fixed[None], (len(memory.words), *fixed.shape)), self.word_in(memory.words)

    def hints(self, schema: Schema, needed: mx.array, states: mx.array, valid: mx.array) -> mx.array:
        """What is added to the candidates before the steps whatever is decided: [B, F].

        Of the retriever's logits [B, T], to which no gradient goes back, and of how near the request's tokens [B, L, e]
        are to what tools.yaml says of a constant.
        """
        constants = mx.zeros((len(needed), 0))
        if len(schema.constants):
            near = _cosines(states, mx.where(valid, 0.0, -1e9), direction(schema.constants).T)
            constants = near @ self.choice.weight[0, :2]
        before = mx.zeros((len(needed), SPECIALS))
        return mx.concatenate([before, self.hint * mx.stop_gradient(needed), constants], axis=-1)

    def saying(self, said: mx.array, tools: int) -> mx.array:
        """What the choices that a request says [B, D, C] (`saying.said`) add to the candidates before the steps: [B, D, F]."""
        return mx.concatenate([mx.zeros((*said.shape[:2], SPECIALS + tools)), self.choice.weight[0, 2] * said], axis=-1)

    def candidate_keys(self, schema: Schema, memory: Memory) -> tuple[mx.array, mx.array, mx.array]:
        """Keys of the candidates before the steps [B, F, d], and of the words as starts and as ends [B, W, d]."""
        fixed = mx.concatenate(
            [self.special_key.weight, self.tool_key(schema.tools), self.constant_key(schema.constants)], axis=0
        )
        fixed = mx.broadcast_to(fixed[None], (len(memory.words), *fixed.shape))
        return fixed, self.start_key(memory.words), self.end_key(memory.words)

    def slot_table(self, schema: Schema) -> mx.array:
        """What each slot looks like to the decoder [S + 1, d]; the last row stands for no slot, number -1."""
        slots = self.slot_in(schema.slots)
        return mx.concatenate([slots, mx.zeros((1, slots.shape[-1]))])

    def inputs(self, slots: mx.array, previous, previous_kind, kind, slot, number) -> mx.array:
        """Decoder inputs [B, D, d]: what was decided last, what is asked now, and in which step."""
        asked = slots[mx.where(slot >= 0, slot, len(slots) - 1)]
        return previous + self.previous_kinds(previous_kind) + self.kinds(kind) + asked + self.step_numbers(number)

    def scores(self, hidden: mx.array, kind: mx.array, keys, steps: mx.array, hints: mx.array) -> mx.array:
        """Unmasked logits [B, D, N] over all candidates.

        `keys` from `candidate_keys()`, `steps` [B, R, d] from `step_vectors()`, `hints` [B, D or 1, F] from `hints()` and `saying()`.
        """
        q = self.query(self.norm(hidden)) * hidden.shape[-1] ** -0.5
        first, starts, ends = keys
        fixed = q @ first.swapaxes(-1, -2)
        if kind.size == 1:
            words = q @ (ends if kind.item() == SPAN_END else starts).swapaxes(-1, -2)
        else:
            both = (q @ key.swapaxes(-1, -2) for key in (ends, starts))
            words = mx.where((kind == SPAN_END)[..., None], *both)
        return mx.concatenate([fixed + hints, q @ self.step_key(steps).swapaxes(-1, -2), words], axis=-1)

    def decode(self, x, memory: Memory, mask=None, caches=None, crossed=None):
        """Run the decoder over inputs [B, D, d]; gives hidden states and the layers' caches."""
        new = []
        for index, layer in enumerate(self.layers):
            cross = crossed[index] if crossed else layer.keys_values(memory)
            x, cache = layer(x, cross, memory.mask, mask, caches[index] if caches else None)
            new.append(cache)
        return x, new
