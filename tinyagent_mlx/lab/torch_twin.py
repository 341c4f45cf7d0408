"""The pointer model once more in PyTorch, for training on a CPU, where PyTorch's kernels are several times faster.

Optional: nothing at run time needs it. Module names are `pointer.py`'s, so that a state dict is an MLX checkpoint and back
without conversion; `tests/test_torch_twin.py` holds the two to the same numbers wherever PyTorch is installed.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tinyagent_mlx.decisions import KINDS, MAX_STEPS, SPAN_END, SPECIALS, Layout
from tinyagent_mlx.encoder import Batch, WordTokenizer
from tinyagent_mlx.lab.batches import Targets
from tinyagent_mlx.pointer import ModelArgs
from tinyagent_mlx.schema import shares_of
from tinyagent_mlx.weights import BITS, GROUP
from tinyagent_mlx.words import SHAPES, split_words


def _heads(x: Tensor, heads: int) -> Tensor:
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def _merge(x: Tensor) -> Tensor:
    return x.transpose(1, 2).flatten(2)


class Attention(nn.Module):
    def __init__(self, size: int, heads: int):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = nn.Linear(size, size), nn.Linear(size, size), nn.Linear(size, size)
        self.output = nn.Linear(size, size)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        q, k, v = (_heads(part(x), self.heads) for part in (self.query, self.key, self.value))
        return self.output(_merge(F.scaled_dot_product_attention(q, k, v, attn_mask=mask)))


class EncoderLayer(nn.Module):
    def __init__(self, args):
        super().__init__()
        e = args.hidden_size
        self.attention = Attention(e, args.num_attention_heads)
        self.attention_norm = nn.LayerNorm(e, eps=args.layer_norm_eps)
        self.up, self.down = nn.Linear(e, args.intermediate_size), nn.Linear(args.intermediate_size, e)
        self.norm = nn.LayerNorm(e, eps=args.layer_norm_eps)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = self.attention_norm(x + self.attention(x, mask))
        return self.norm(x + self.down(F.gelu(self.up(x))))


class Encoder(nn.Module):
    def __init__(self, args):
        super().__init__()
        e = args.hidden_size
        self.word_embeddings = nn.Embedding(args.vocab_size, e)
        self.position_embeddings = nn.Embedding(args.max_position_embeddings, e)
        self.shape_embeddings = nn.Embedding(len(SHAPES), e)
        self.embedding_norm = nn.LayerNorm(e, eps=args.layer_norm_eps)
        self.layers = nn.ModuleList(EncoderLayer(args) for _ in range(args.num_hidden_layers))

    def forward(self, tokens: Tensor, shapes: Tensor, valid: Tensor) -> Tensor:
        positions = self.position_embeddings.weight[: tokens.shape[1]]
        x = self.embedding_norm(self.word_embeddings(tokens) + positions + self.shape_embeddings(shapes))
        mask = torch.where(valid, 0.0, -1e9)[:, None, None, :]
        for layer in self.layers:
            x = layer(x, mask)
        return x


def rope(x: Tensor) -> Tensor:
    """Rotary positions from 0, halves rotated, base 10,000 (MLX's nn.RoPE); x is [B, heads, L, d]."""
    half = x.shape[-1] // 2
    rates = 10000.0 ** (-torch.arange(half) / half)
    angles = torch.arange(x.shape[2])[:, None] * rates
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * angles.cos() - b * angles.sin(), a * angles.sin() + b * angles.cos()], dim=-1)


class DecoderLayer(nn.Module):
    def __init__(self, args: ModelArgs):
        super().__init__()
        d, self.heads = args.hidden_size, args.num_attention_heads
        self.self_norm, self.cross_norm, self.mlp_norm = (nn.RMSNorm(d, eps=1e-5) for _ in range(3))
        self.qkv, self.self_out = nn.Linear(d, 3 * d, bias=False), nn.Linear(d, d, bias=False)
        self.cross_q, self.cross_kv = nn.Linear(d, d, bias=False), nn.Linear(d, 2 * d, bias=False)
        self.cross_out = nn.Linear(d, d, bias=False)
        self.up, self.down = nn.Linear(d, args.intermediate_size), nn.Linear(args.intermediate_size, d)

    def forward(self, x: Tensor, states: Tensor, cross_mask: Tensor) -> Tensor:
        q, k, v = (_heads(y, self.heads) for y in self.qkv(self.self_norm(x)).chunk(3, dim=-1))
        x = x + self.self_out(_merge(F.scaled_dot_product_attention(rope(q), rope(k), v, is_causal=True)))
        q = _heads(self.cross_q(self.cross_norm(x)), self.heads)
        k, v = (_heads(y, self.heads) for y in self.cross_kv(states).chunk(2, dim=-1))
        x = x + self.cross_out(_merge(F.scaled_dot_product_attention(q, k, v, attn_mask=cross_mask)))
        return x + self.down(F.gelu(self.up(self.mlp_norm(x)), approximate="tanh"))


class Retrieval(nn.Module):
    def __init__(self, args: ModelArgs):
        super().__init__()
        e, r = args.encoder.hidden_size, args.retrieval_size
        self.query, self.key, self.value, self.tool = (nn.Linear(e, r) for _ in range(4))
        self.hidden, self.out = nn.Linear(3 * r, r), nn.Linear(r, 1)
        self.near = nn.Linear(2, 1, bias=False)

    def forward(self, states: Tensor, mask: Tensor, tools: Tensor) -> Tensor:
        k, v = self.key(states), self.value(states)
        weights = torch.softmax(
            self.query(tools) @ k.transpose(-1, -2) * k.shape[-1] ** -0.5 + mask[:, None, :], dim=-1
        )
        found = weights @ v
        named = self.tool(tools)[None].expand_as(found)
        judged = self.out(F.gelu(self.hidden(torch.cat([found, named, found * named], dim=-1)), approximate="tanh"))
        return (judged + self.near(_cosines(states, mask, tools)))[..., 0]


def _cosines(states: Tensor, mask: Tensor, tools: Tensor) -> Tensor:
    valid = (mask == 0)[..., None]
    mean = (states * valid).sum(dim=1, keepdim=True) / valid.sum(dim=1, keepdim=True)
    named = _direction(tools).T
    tokens = torch.where(valid, _direction(states) @ named, -1.0)
    return 10 * torch.stack([(_direction(mean) @ named)[:, 0], tokens.amax(dim=1)], dim=-1)


def _direction(vectors: Tensor) -> Tensor:
    return vectors / vectors.norm(dim=-1, keepdim=True)


@dataclass(frozen=True)
class Schema:
    tools: Tensor
    slots: Tensor
    constants: Tensor


class PointerModel(nn.Module):
    def __init__(self, args: ModelArgs):
        super().__init__()
        e, d = args.encoder.hidden_size, args.hidden_size
        self.encoder, self.retrieval, self.memory = Encoder(args.encoder), Retrieval(args), nn.Linear(e, d)
        self.kinds, self.previous_kinds = nn.Embedding(KINDS, d), nn.Embedding(KINDS + 1, d)
        self.specials, self.special_key = nn.Embedding(SPECIALS, d), nn.Embedding(SPECIALS, d)
        self.step_numbers = nn.Embedding(MAX_STEPS + 1, d)
        self.tool_in, self.slot_in, self.constant_in, self.word_in = (nn.Linear(e, d) for _ in range(4))
        self.step_in = nn.Linear(2 * d, d)
        self.layers = nn.ModuleList(DecoderLayer(args) for _ in range(args.num_hidden_layers))
        self.norm = nn.RMSNorm(d, eps=1e-5)
        self.tool_key, self.constant_key, self.start_key, self.end_key = (nn.Linear(e, d) for _ in range(4))
        self.step_key, self.query = nn.Linear(d, d), nn.Linear(d, d)
        self.hint = nn.Parameter(torch.full((1,), 0.2))
        self.choice = nn.Linear(3, 1, bias=False)

    def sentence_vectors(self, batch: Batch) -> Tensor:
        valid = torch.from_numpy(batch.valid)
        states = self.encoder(torch.from_numpy(batch.tokens), torch.from_numpy(batch.shapes), valid) * valid[..., None]
        return self.unit(states.sum(dim=1) / valid.sum(dim=1, keepdim=True))

    @staticmethod
    def unit(vectors: Tensor) -> Tensor:
        return vectors / vectors.norm(dim=-1, keepdim=True) * vectors.shape[-1] ** 0.5

    def forward(self, batch: Batch, t: Targets, schema: Schema) -> tuple[Tensor, Tensor]:
        """Logits over candidates [B, D, N], the illegal ones at -1e9, and the retriever's logits [B, T]."""
        valid = torch.from_numpy(batch.valid)
        states = self.encoder(torch.from_numpy(batch.tokens), torch.from_numpy(batch.shapes), valid)
        additive = torch.where(valid, 0.0, -1e9)
        first = torch.from_numpy(batch.first).long()[..., None].expand(-1, -1, states.shape[-1])
        words = states.gather(1, first)
        steps = self._steps(
            schema, words, torch.from_numpy(t.step_tools).long(), torch.from_numpy(t.step_starts).long()
        )
        x = self._inputs(schema, words, steps, t)
        memory = self.memory(states)
        for layer in self.layers:
            x = layer(x, memory, additive[:, None, None, :])
        needed = self.retrieval(states, additive, schema.tools)
        hints = self._hints(schema, needed, states, additive, torch.from_numpy(t.said))
        logits = self._scores(x, schema, words, steps, torch.from_numpy(t.kind), hints)
        return logits.masked_fill(~torch.from_numpy(t.legal), -1e9), needed

    def _hints(self, schema: Schema, needed: Tensor, states: Tensor, mask: Tensor, said: Tensor) -> Tensor:
        constants = self.choice.weight[0, 2] * said
        if len(schema.constants):
            near = _cosines(states, mask, schema.constants) @ self.choice.weight[0, :2]
            constants = constants + near[:, None]
        tools = (self.hint * needed.detach())[:, None].expand(-1, said.shape[1], -1)
        return torch.cat([needed.new_zeros(*said.shape[:2], SPECIALS), tools, constants], dim=-1)

    def _steps(self, schema: Schema, words: Tensor, tools: Tensor, starts: Tensor) -> Tensor:
        word = self.word_in(words)
        word = word.gather(1, starts.clamp(min=0)[..., None].expand(-1, -1, word.shape[-1]))
        word = torch.where((starts >= 0)[..., None], word, 0.0)
        tool = self.tool_in(schema.tools)[tools.clamp(min=0)]
        return self.step_in(torch.cat([tool, word], dim=-1)) + self.step_numbers.weight[1 : tools.shape[1] + 1]

    def _inputs(self, schema: Schema, words: Tensor, steps: Tensor, t: Targets) -> Tensor:
        fixed = torch.cat([self.specials.weight, self.tool_in(schema.tools), self.constant_in(schema.constants)])
        table = torch.cat([fixed.expand(len(steps), -1, -1), steps, self.word_in(words)], dim=1)
        previous = torch.from_numpy(t.previous).long()[..., None].expand(-1, -1, table.shape[-1])
        kinds = torch.from_numpy(t.previous_kind).long()
        decided = torch.where((kinds < KINDS)[..., None], table.gather(1, previous), 0.0)
        slot = torch.from_numpy(t.slot).long()
        asked = torch.where((slot >= 0)[..., None], self.slot_in(schema.slots)[slot.clamp(min=0)], 0.0)
        kind, number = torch.from_numpy(t.kind).long(), torch.from_numpy(t.number).long()
        return decided + self.previous_kinds(kinds) + self.kinds(kind) + asked + self.step_numbers(number)

    def _scores(self, x: Tensor, schema: Schema, words: Tensor, steps: Tensor, kind: Tensor, hints: Tensor) -> Tensor:
        q = self.query(self.norm(x)) * x.shape[-1] ** -0.5
        fixed = torch.cat([self.special_key.weight, self.tool_key(schema.tools), self.constant_key(schema.constants)])
        first = q @ fixed.T + hints
        starts, ends = q @ self.start_key(words).transpose(-1, -2), q @ self.end_key(words).transpose(-1, -2)
        return torch.cat(
            [
                first,
                q @ self.step_key(steps).transpose(-1, -2),
                torch.where((kind == SPAN_END)[..., None], ends, starts),
            ],
            dim=-1,
        )


def loss(
    model: PointerModel, batch: Batch, t: Targets, schema: Schema, retrieval_weight: float, pos_weight: float,
    quantized: bool = False,
) -> Tensor:  # fmt: skip
    """The same loss as `train_planner.loss`."""
    if quantized:
        logits, scores = torch.func.functional_call(model, simulated(model), (batch, t, schema))
    else:
        logits, scores = model(batch, t, schema)
    weight, needed = torch.from_numpy(t.weight), torch.from_numpy(t.needed)
    each = F.cross_entropy(logits.flatten(0, 1), torch.from_numpy(t.target).long().flatten(), reduction="none")
    pointing = (each.view_as(weight) * weight).sum() / weight.sum()
    positive = torch.where(needed > 0, pos_weight, 1.0)
    return (
        pointing
        + retrieval_weight * (F.binary_cross_entropy_with_logits(scores, needed, reduction="none") * positive).mean()
    )


def encode_schema(model: PointerModel, tokenizer: WordTokenizer, layout: Layout) -> Schema:
    """`schema.encode_schema` in PyTorch."""

    def vectors(texts: list[str]) -> Tensor:
        return model.sentence_vectors(tokenizer.batch([[word.text for word in split_words(x)] for x in texts]))

    with torch.no_grad():
        tools, slots, constants = map(vectors, layout.texts())
        requests, owners = layout.example_requests()
        if requests:
            tools = model.unit(tools + torch.from_numpy(shares_of(owners, len(layout.tools))) @ vectors(requests))
    return Schema(tools, slots, constants)


def through_4_bits(weight: Tensor) -> Tensor:
    """What MLX's quantization to 4 bits in groups of 32 leaves of a matrix, to the bit."""
    groups = weight.detach().unflatten(-1, (-1, GROUP))
    low, high = groups.amin(-1, keepdim=True), groups.amax(-1, keepdim=True)
    scale = ((high - low) / (2**BITS - 1)).clamp(min=1e-7)
    from_low = low.abs() > high.abs()
    scale, edge = torch.where(from_low, scale, -scale), torch.where(from_low, low, high)
    steps = (edge / scale).round()
    scale = torch.where(steps == 0, scale, edge / torch.where(steps == 0, 1.0, steps))
    bias = torch.where(steps == 0, 0.0, edge)
    return (((groups - bias) / scale).round().clamp(0, 2**BITS - 1) * scale + bias).flatten(-2)


def simulated(model: PointerModel) -> dict[str, Tensor]:
    """All weights, the matrices as 4 bits would give them; gradients pass straight through."""
    return {
        name: rounded(name, weight) if weight.numel() >= 32_768 else weight for name, weight in model.named_parameters()
    }


def rounded(name: str, weight: Tensor) -> Tensor:
    """A matrix that is trained and whose rows are whole groups as 4 bits would give it; any other weight as it is."""
    if not name.endswith(".weight") or weight.ndim < 2 or weight.shape[-1] % GROUP or not weight.requires_grad:
        return weight
    return weight + (through_4_bits(weight) - weight).detach()
