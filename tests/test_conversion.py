"""Published folders as mlx-lm's own: 32 bits become 16 beside the quantized ones, a SentencePiece model becomes a fast one."""

from __future__ import annotations

import io
import json
from datetime import datetime
from pathlib import Path

import tinyagent_mlx.device  # noqa: F401  (before MLX)

# isort: split
import mlx.core as mx
import pytest
import sentencepiece

from tests.models import make_llama
from tinyagent_mlx.check import check_plan
from tinyagent_mlx.conversion import convert, is_quantized
from tinyagent_mlx.errors import ModelError
from tinyagent_mlx.language import load
from tinyagent_mlx.paths import shipped
from tinyagent_mlx.plan import Plan, Step


@pytest.fixture(scope="module", params=["identity", "nmt_nfkc"])
def mistral(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As WizardLM-2-7B's repository is laid out: a Mistral in 32 bits, and tokenizer.model alone.

    Llama's and Mistral's tokenizers leave text as it is; SentencePiece's own default makes a line break a blank.
    """
    folder = make_llama(tmp_path_factory.mktemp("mistral"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "mistral", "torch_dtype": "float32"}))
    (folder / "tokenizer.json").unlink()
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(shipped("tools.yaml").read_text().splitlines() * 3), model_writer=model, vocab_size=700,
        model_type="bpe", byte_fallback=True, character_coverage=1.0, unk_id=0, bos_id=1, eos_id=2, pad_id=-1, minloglevel=2,
        normalization_rule_name=request.param,
    )  # fmt: skip
    (folder / "tokenizer.model").write_bytes(model.getvalue())
    names = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "LlamaTokenizer", "add_bos_token": True, **names})
    )
    return folder


@pytest.mark.parametrize(("bits", "group"), [(4, 32), (8, 64), (16, 32)], ids=["4", "8", "16"])
def test_weights_have_the_bits_asked_for_and_the_rest_has_16(
    mistral: Path, tmp_path: Path, bits: int, group: int
) -> None:
    assert not is_quantized(mistral)
    convert(mistral, tmp_path / "out", bits, group)
    weights = mx.load(str(tmp_path / "out" / "model.safetensors"))
    kinds = {value.dtype for value in weights.values()}
    assert kinds == ({mx.bfloat16, mx.uint32} if bits < 16 else {mx.bfloat16})
    assert is_quantized(tmp_path / "out") == (bits < 16)


def test_the_tokenizer_becomes_one_that_a_grammar_can_hold(mistral: Path, tmp_path: Path, shipped_tools) -> None:
    convert(mistral, tmp_path / "out")
    planner = load(tmp_path / "out")
    planner.max_tokens = 120
    *steps, _ = planner.plan("text 555-0199 hello", shipped_tools, ("send_sms",), datetime(2026, 11, 23))
    check_plan(Plan(tuple(step for step in steps if isinstance(step, Step))), shipped_tools)
    assert planner.decoder.encode("hello")[0] == 1  # type: ignore[attr-defined]


def test_what_can_not_be_converted_leaves_what_was_there(mistral: Path, tmp_path: Path) -> None:
    convert(mistral, tmp_path / "out")
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "config.json").write_text("[]")
    with pytest.raises(ModelError, match="no JSON object"):
        convert(broken, tmp_path / "out")
    (broken / "config.json").write_bytes((mistral / "config.json").read_bytes())
    with pytest.raises(ModelError, match=r"broken: can't be converted: No safetensors"):
        convert(broken, tmp_path / "out")
    assert {file.name for file in tmp_path.iterdir()} == {"out", "broken"}
    assert is_quantized(tmp_path / "out")
