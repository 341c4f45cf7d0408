"""Text from a language model as it comes, under no grammar: any mlx-lm model folder, loaded when it is first asked.

Knows nothing of what is written. What goes into a prompt stays text: what looks like a special token is taken apart.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tinyagent_mlx.errors import ConfigError, PlannerError
from tinyagent_mlx.profile import fill
from tinyagent_mlx.prompt import FRAMES, PLAIN

CONTEXT = 2048  # tokens, where a model's configuration does not say how many it can read
_KEYS = ("max_position_embeddings", "n_positions", "max_seq_len", "max_sequence_length", "seq_length", "n_ctx")


class TextModel:
    """`frame` stands around a prompt where the tokenizer has no chat template; `loaded` are the folder's model and tokenizer
    where something else has loaded them. Not for two threads at once."""

    def __init__(self, folder: Path, frame: str = "", temperature: float = 0.0, loaded: tuple[Any, Any] | None = None):
        self.folder, self.temperature = folder, temperature
        self.frame = frame if frame not in ("", PLAIN.frame) else FRAMES["alpaca"]
        self.context = context(folder)
        self._loaded = loaded

    def load(self) -> tuple[Any, Any]:
        """The model and its tokenizer. Raises `PlannerError` when the folder holds none that mlx-lm can load."""
        if self._loaded is None:
            from tinyagent_mlx import decoding, device

            model, tokenizer, _ = decoding.load_folder(self.folder)
            self._loaded = model if device.on_gpu() else decoding.for_cpu(model), tokenizer
        return self._loaded

    def count(self, text: str) -> int:
        """Tokens of a text."""
        return len(self.load()[1].encode(text, add_special_tokens=False))

    def tokens(self, system: str, user: str) -> list[int]:
        """The prompt as the model reads it."""
        from tinyagent_mlx.decoding import encode

        _, tokenizer = self.load()
        if tokenizer.has_chat_template:
            return encode(tokenizer, f"{system}\n\n{user}")
        return encode(tokenizer, fill(self.frame, system=system, user=user), chat=False)

    def stream(self, system: str, user: str, most: int) -> Iterator[str]:
        """Yield pieces of the answer, a token's text or none each. Raises `PlannerError` for a prompt that leaves no room."""
        from mlx_lm import stream_generate
        from mlx_lm.sample_utils import make_sampler

        model, tokenizer = self.load()
        prompt = self.tokens(system, user)
        most = min(most, self.context - len(prompt))
        if most < 1:
            raise PlannerError(f"{self.folder}: reads {self.context} tokens, and the prompt has {len(prompt)}")
        sampler = make_sampler(temp=self.temperature)
        for response in stream_generate(model, tokenizer, prompt, max_tokens=most, sampler=sampler):
            yield response.text


def context(folder: Path) -> int:
    """Tokens that a model can read, by its configuration. Raises `ConfigError` when that can't be read."""
    file = folder / "config.json"
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
        places = (config, config.get("text_config") or {})
        sizes = [place[key] for place in places for key in _KEYS if isinstance(place.get(key), int)]
    except (OSError, ValueError, AttributeError) as error:
        raise ConfigError(f"{file}: is no model's configuration: {error}") from error
    return sizes[0] if sizes else CONTEXT
