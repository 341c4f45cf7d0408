"""DeBERTa computes what transformers computes, and a classifier folder becomes a retriever."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import tinyagent_mlx.device  # noqa: F401  (before MLX)

import mlx.core as mx
import numpy as np
import pytest

from tinyagent_mlx.deberta import Model, ModelArgs, buckets
from tinyagent_mlx.errors import PlannerError
from tinyagent_mlx.toolrag import PUBLISHED, ToolRag

RECORDED = Path(__file__).parent / "fixtures" / "deberta"


@pytest.fixture(scope="module")
def recorded() -> dict:
    return json.loads((RECORDED / "recorded.json").read_text(encoding="utf-8"))


@pytest.fixture
def folder(tmp_path) -> Path:
    """A copy of the recorded checkpoint, to be spoilt."""
    return Path(shutil.copytree(RECORDED, tmp_path / "classifier"))


def rewrite(folder: Path, **changes: object) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def test_logits_are_those_of_transformers_with_padding(recorded):
    model = ToolRag(RECORDED).model
    logits = model(mx.array(recorded["tokens"]), mx.array(recorded["mask"]).astype(mx.bool_))
    assert min(map(sum, recorded["mask"])) < max(map(sum, recorded["mask"]))
    assert np.abs(np.array(logits) - np.array(recorded["logits"])).max() < 1e-4


def test_logits_are_those_of_transformers_now():
    """The same against the installed transformers, where PyTorch is there."""
    torch = pytest.importorskip("torch", reason="PyTorch is optional: the recorded logits are compared without it")
    from transformers import DebertaV2ForSequenceClassification

    theirs = DebertaV2ForSequenceClassification.from_pretrained(RECORDED).eval()
    tokens = np.random.default_rng(0).integers(4, 90, (3, 40))
    mask = np.arange(40) < np.array([[40], [7], [23]])
    with torch.no_grad():
        expected = theirs(torch.from_numpy(tokens), torch.from_numpy(mask.astype(np.int64))).logits.numpy()
    found = np.array(ToolRag(RECORDED).model(mx.array(tokens), mx.array(mask)))
    assert np.abs(found - expected).max() < 1e-4


def test_padding_does_not_change_a_row(recorded):
    model = ToolRag(RECORDED).model
    short = [number for number, valid in zip(recorded["tokens"][2], recorded["mask"][2], strict=True) if valid]
    alone = model(mx.array([short]), mx.ones((1, len(short)), mx.bool_))
    assert np.abs(np.array(alone[0]) - np.array(recorded["logits"][2])).max() < 1e-4


def test_near_distances_have_buckets_of_their_own_and_far_ones_share():
    found = buckets(np.arange(-60, 61), 8, 64)
    assert found[60 - 3 : 60 + 4].tolist() == [-3, -2, -1, 0, 1, 2, 3]
    assert (np.diff(found) >= 0).all()
    assert found.max() <= 8
    assert -found.min() == found.max()


def test_the_retriever_takes_what_reaches_the_threshold(recorded, shipped_tools):
    rag = ToolRag(RECORDED)
    chances = 1 / (1 + np.exp(-np.array(recorded["logits"][0])))
    expected = [name for name, chance in zip(PUBLISHED, chances, strict=True) if chance >= 0.5]
    assert set(rag.retrieve(recorded["texts"][0], shipped_tools)) == set(expected)
    assert list(rag.scores(recorded["texts"][0], shipped_tools)) == list(shipped_tools.names)


def test_the_tool_set_is_never_empty(recorded, shipped_tools):
    rag = ToolRag(RECORDED, threshold=1.1)
    scores = rag.scores(recorded["texts"][1], shipped_tools)
    assert rag.retrieve(recorded["texts"][1], shipped_tools) == (max(scores, key=lambda name: scores[name]),)


def test_labels_may_stand_in_a_file(folder, shipped_tools):
    (folder / "labels.txt").write_text("\n".join(reversed(PUBLISHED)))
    known, turned = (ToolRag(f).scores("open the lease", shipped_tools) for f in (RECORDED, folder))
    assert {name: turned[name] for name in PUBLISHED} == dict(
        zip(reversed(PUBLISHED), (known[name] for name in PUBLISHED), strict=True)
    )


def test_a_toolbox_without_known_labels_is_an_error(folder, shipped_tools):
    (folder / "labels.txt").write_text("\n".join(f"other_{number}" for number in range(16)))
    with pytest.raises(PlannerError, match="no label for any of these tools"):
        ToolRag(folder).scores("open the lease", shipped_tools)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: (f / "config.json").unlink(), "no classifier folder"),
        (lambda f: (f / "config.json").write_text("[]"), "no JSON object"),
        (lambda f: rewrite(f, model_type="bert"), "model_type: 'bert' is not supported"),
        (lambda f: rewrite(f, conv_kernel_size=3), "conv_kernel_size: 3"),
        (lambda f: rewrite(f, pos_att_type="p2p"), "pos_att_type: 'p2p'"),
        (lambda f: rewrite(f, num_attention_heads=5), "num_attention_heads: 5"),
        (lambda f: rewrite(f, hidden_size="wide"), "hidden_size: 'wide'"),
        (lambda f: rewrite(f, intermediate_size=64), "does not fit config.json"),
        (lambda f: (f / "model.safetensors").unlink(), "no weights"),
        (lambda f: (f / "model.safetensors").rename(f / "pytorch_model.bin"), "only pytorch_model.bin"),
        (lambda f: (f / "model.safetensors").write_bytes(b"none"), "can't be read"),
        (lambda f: (f / "tokenizer.json").unlink(), "no tokenizer.json"),
        (lambda f: (f / "tokenizer.json").write_text("{}"), "can't be read"),
        (lambda f: (f / "labels.txt").write_text("send_sms\n"), "16 outputs, but labels.txt: 1"),
        (lambda f: (f / "labels.txt").write_text("send_sms\n" * 16), "'send_sms' stands there twice"),
    ],
    ids=[
        "no config", "no object", "another architecture", "a convolution", "attention unknown", "heads", "size", "shape",
        "no weights", "a pickle", "broken weights", "no tokenizer", "broken tokenizer", "few labels", "a label twice",
    ],
)  # fmt: skip
def test_a_folder_that_can_not_serve_is_refused_in_a_line(folder, spoil, message):
    spoil(folder)
    with pytest.raises(PlannerError, match=message) as caught:
        ToolRag(folder)
    assert "\n" not in str(caught.value)


def test_weights_are_read_with_the_prefix_and_without():
    stored = mx.load(str(RECORDED / "model.safetensors"))
    bare = {name.removeprefix("deberta."): value for name, value in stored.items()}
    assert set(Model.sanitize(stored)) == set(Model.sanitize(bare))
    assert "cls.predictions.bias" not in Model.sanitize({"cls.predictions.bias": mx.zeros(1)})


def test_args_read_the_number_of_labels():
    config = json.loads((RECORDED / "config.json").read_text())
    assert ModelArgs.from_dict(config).num_labels == 16
