"""ToolRAG as published: a DeBERTa-v3 classifier with one label a tool, read from a Hugging Face folder.

The folder holds config.json, model.safetensors and tokenizer.json. Labels are the lines of labels.txt, or config.json's
id2label, or, where neither names any, the sixteen of TinyAgent's own classifier. Knows nothing of planners.
Method: Erdogan et al. 2024, TinyAgent (arXiv:2409.00608).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tinyagent_mlx.device  # noqa: F401  (before MLX)

import mlx.core as mx
import numpy as np
from tokenizers import Tokenizer

from tinyagent_mlx.deberta import Model, ModelArgs
from tinyagent_mlx.errors import PlannerError
from tinyagent_mlx.toolbox import Toolbox

THRESHOLD = 0.5
# The published classifier's labels; they are the shipped tools, in their order.
PUBLISHED = (
    "create_calendar_event", "get_phone_number", "get_email_address", "open_and_get_file_path", "summarize_pdf",
    "compose_new_email", "reply_to_email", "forward_email", "maps_open_location", "maps_show_directions",
    "create_note", "open_note", "append_note_content", "create_reminder", "send_sms", "get_zoom_meeting_link",
)  # fmt: skip


class ToolRag:
    """The tools whose probability is at least the threshold, in the toolbox's order; the best one when there is none.

    A tool that the classifier has no label for is never chosen, and a label that is no tool is passed over: another
    toolbox needs another classifier. Raises `PlannerError` when the folder is not whole or not supported, and from
    `scores` and `retrieve` when no tool at all has a label.
    """

    name = "toolrag"

    def __init__(self, folder: Path, threshold: float = THRESHOLD):
        config = _config(folder)
        self.model = _load_model(folder, config)
        self.labels = _labels(folder, config, self.model.args.num_labels)
        self.threshold = threshold
        self._tokenizer = _load_tokenizer(folder, self.model.args)

    def scores(self, text: str, tools: Toolbox) -> dict[str, float]:
        """Each known tool's probability of being needed, in the toolbox's order."""
        known = [name for name in tools.names if name in self.labels]
        if not known:
            raise PlannerError(f"the classifier has no label for any of these tools: {', '.join(tools.names)}")
        tokens = mx.array([self._tokenizer.encode(text).ids])
        logits = self.model(tokens, mx.ones(tokens.shape, mx.bool_))[0]
        chances = dict(zip(self.labels, np.array(mx.sigmoid(logits)).tolist(), strict=True))
        return {name: chances[name] for name in known}

    def retrieve(self, text: str, tools: Toolbox) -> tuple[str, ...]:
        """Names in the toolbox's order, never none. What is longer than the model's positions is cut off."""
        scores = self.scores(text, tools)
        reached = tuple(name for name, score in scores.items() if score >= self.threshold)
        return reached or (max(scores, key=lambda name: scores[name]),)


def _config(folder: Path) -> dict[str, Any]:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PlannerError(f"{folder}: is no classifier folder: {error}") from error
    if not isinstance(config, dict):
        raise PlannerError(f"{folder / 'config.json'}: is no JSON object")
    return config


def _load_model(folder: Path, config: Mapping[str, Any]) -> Model:
    """The network in float32, whatever it was stored in: half precision would not give transformers' logits."""
    try:
        args = ModelArgs.from_dict(config)
    except PlannerError as error:
        raise PlannerError(f"{folder}: {error}") from error
    file = folder / "model.safetensors"
    stored = Model.sanitize(_read_weights(file))
    if "classifier.weight" not in stored:
        raise PlannerError(f"{file}: has no classification head")
    args.num_labels = stored["classifier.weight"].shape[0]
    model = Model(args)
    try:
        model.load_weights([(name, weight.astype(mx.float32)) for name, weight in stored.items()])
    except ValueError as error:
        raise PlannerError(f"{file}: does not fit config.json: {' '.join(str(error).split())}") from error
    mx.eval(model.parameters())
    return model


def _read_weights(file: Path) -> dict[str, mx.array]:
    if not file.is_file():
        others = sorted(found.name for found in file.parent.glob("*model*") if found.is_file())
        found = f"only {', '.join(others)}" if others else "no weights"
        raise PlannerError(f"{file.parent}: has {found}; weights are read from one model.safetensors")
    try:
        weights: Any = mx.load(str(file))
    except (OSError, ValueError, RuntimeError) as error:
        raise PlannerError(f"{file}: can't be read: {error}") from error
    return weights


def _load_tokenizer(folder: Path, args: ModelArgs) -> Tokenizer:
    file = folder / "tokenizer.json"
    if not file.is_file():
        raise PlannerError(f"{folder}: has no tokenizer.json; transformers' save_pretrained of the tokenizer writes it")
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # tokenizers raises no narrower class
        raise PlannerError(f"{file}: can't be read: {error}") from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(args.max_position_embeddings)
    if not tokenizer.encode("").ids:
        raise PlannerError(f"{file}: puts no token before a text, and the classifier reads that token")
    highest = max(tokenizer.get_vocab(with_added_tokens=True).values())
    if highest >= args.vocab_size:
        raise PlannerError(f"{file}: has token {highest}, but the model knows only {args.vocab_size}")
    return tokenizer


def _labels(folder: Path, config: Mapping[str, Any], count: int) -> tuple[str, ...]:
    """The classifier's labels in order; as many as it has outputs, no two alike."""
    file = folder / "labels.txt"
    if file.is_file():
        where, labels = "labels.txt", tuple(file.read_text(encoding="utf-8").split())
    else:
        where, labels = "config.json: id2label", _named(config.get("id2label") or {})
    if not labels:
        where, labels = "TinyAgent's labels (labels.txt can name others)", PUBLISHED
    if len(labels) != count:
        raise PlannerError(f"{folder}: the classifier has {count} outputs, but {where}: {len(labels)}")
    if len(set(labels)) < count:
        twice = next(label for label in labels if labels.count(label) > 1)
        raise PlannerError(f"{folder}: {where}: {twice!r} stands there twice")
    return labels


def _named(id2label: Mapping[str, str]) -> tuple[str, ...]:
    """The names in id2label; none when they are those that transformers makes up, LABEL_0 and so on."""
    try:
        labels = tuple(id2label[str(number)] for number in range(len(id2label)))
    except (KeyError, TypeError) as error:
        raise PlannerError(f"config.json: id2label: {id2label!r} does not count from 0") from error
    return () if all(label == f"LABEL_{number}" for number, label in enumerate(labels)) else labels
