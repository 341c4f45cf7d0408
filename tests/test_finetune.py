"""Fine-tuning: what it learns from, that it stops and goes on, what it installs, and the way back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import tinyagent_mlx.device  # noqa: F401  (before MLX)

# isort: split
import mlx.core as mx
import numpy as np
import pytest

from tests.models import small_engine
from tinyagent_mlx import weights
from tinyagent_mlx.cases import Case
from tinyagent_mlx.cli.main import main
from tinyagent_mlx.deciding import LATER, whole
from tinyagent_mlx.decisions import END_PLAN, SPECIALS, TOOL, Cursor
from tinyagent_mlx.errors import ConfigError
from tinyagent_mlx.lab import corpus, finetune, ownworlds
from tinyagent_mlx.lab.batches import collate, trace
from tinyagent_mlx.lab.finetune import Judged, Outcome, Scores
from tinyagent_mlx.lab.generate import Row
from tinyagent_mlx.lab.madeup import Worlds, read_madeup
from tinyagent_mlx.lab.oracle import Oracle
from tinyagent_mlx.plan import Plan, Step, parse_plan
from tinyagent_mlx.planners import Planners
from tinyagent_mlx.pointing import PointerEngine, PointerPlanner, PointerRetriever
from tinyagent_mlx.toolbox import Example, Toolbox
from tinyagent_mlx.toolfile import load_toolbox

OWN = Path(__file__).parent / "scenarios" / "music" / "tools.yaml"
REQUESTS = [
    ("play Golden Hour", '1. play_song("Golden Hour", "")'),
    ("volume 30", "1. set_volume(30)"),
    ("put on Jolene by Dolly Parton", '1. play_song("Jolene", "Dolly Parton")'),
    ("what song is this", "1. current_song()"),
    ("set the volume to 15", "1. set_volume(15)"),
    ("play Bolero", '1. play_song("Bolero", "")'),
    ("tell me what's playing", "1. current_song()"),
    ("start Clair de lune please", '1. play_song("Clair de lune", "")'),
]
EXAMPLES = tuple(Example(request, parse_plan(plan)) for request, plan in REQUESTS)


@pytest.fixture(scope="module")
def tools(shipped_tools) -> Toolbox:
    return Toolbox((*shipped_tools, *load_toolbox(OWN)), shipped_tools.rules)


@pytest.fixture
def about(tools, shipped_tools) -> ownworlds.Lesson:
    return replace(ownworlds.lesson(tools, shipped_tools, EXAMPLES), old_cases=4)


def test_another_fine_tuning_lies_in_another_folder(tmp_path, about):
    small_engine(tmp_path / "root")
    small_engine(tmp_path / "others")
    (tmp_path / "others" / "manifest.json").write_text("{}")
    root, more = tmp_path / "root", replace(about, held=())
    ways = [
        (about, root, 144, 0), (more, root, 144, 0), (about, tmp_path / "others", 144, 0), (about, root, 40, 0),
        (about, root, 144, 1),
    ]  # fmt: skip
    folders = [finetune.folder_of(tmp_path, *way) for way in ways]
    assert len(set(folders)) == len(ways)
    assert finetune.folder_of(tmp_path, *ways[0]) == folders[0]


def settings(out: Path, steps: int):
    return replace(finetune.recipe(out, steps), batch=4, save_every=3)


def test_every_fourth_example_is_held_back(about):
    assert about.names == ("play_song", "set_volume", "current_song")
    assert [e.request for e in about.held] == ["what song is this", "start Clair de lune please"]
    assert len(about.shown) == 6


def test_few_examples_are_all_learnt_from(tools, shipped_tools):
    found = ownworlds.lesson(tools, shipped_tools, EXAMPLES[:5])
    assert (len(found.shown), found.held) == (5, ())


@pytest.mark.parametrize(
    ("own", "message"),
    [
        (False, "no tool of your own"),
        (True, r"none of your tools \(play_song, set_volume, current_song\) has an example"),
    ],
    ids=["no own tool", "no example"],
)
def test_without_anything_to_learn_it_says_so(own, message, tools, shipped_tools):
    with pytest.raises(ConfigError, match=message):
        ownworlds.lesson(tools if own else shipped_tools, shipped_tools)


def test_held_back_examples_are_not_shown_to_the_encoder(tools, shipped_tools):
    with_examples = Toolbox(
        tuple(replace(t, examples=EXAMPLES) if t.name == "play_song" else t for t in tools), tools.rules
    )
    about = ownworlds.lesson(with_examples, shipped_tools)
    shown = {e.request for e in about.showing["play_song"].examples}
    assert shown == {e.request for e in about.shown}


def test_requests_for_own_tools_are_joined_with_the_corpus(about):
    worlds = ownworlds.OwnWorlds(about, corpus.split(corpus.read_corpus()).train, ["amber", "basil"], 0)
    rows = [row for row, _ in zip(worlds.draw(0).generator.rows(), range(80), strict=False)]
    called = [{step.tool for step in row.plan.steps} for row in rows]
    own = set(about.names)
    assert sum(bool(names & own) for names in called) > 20
    assert sum(bool(names & own) and bool(names - own) for names in called) > 5
    assert sum(not names for names in called) > 3


def test_every_fourth_world_asks_for_made_up_tools(about):
    wordings = corpus.split(corpus.read_corpus()).train
    strange = Worlds(wordings, about.showing, read_madeup(), ["amber", "basil"], 0, plain=0.0)
    worlds = ownworlds.OwnWorlds(about, wordings, ["amber", "basil"], 0, strange=strange)
    drawn = [worlds.draw(number) for number in range(8)]
    there = [set(world.tools.names) for world in drawn]
    assert [bool(names - set(about.tools.names)) for names in there] == [False, True, False, False] * 2
    assert all(set(about.names) <= names for names in there)
    rows = [row for row, _ in zip(drawn[1].generator.rows(), range(80), strict=False)]
    called = [{step.tool for step in row.plan.steps} for row in rows]
    assert sum(bool(names - set(about.tools.names)) for names in called) > 20
    assert not any(names & set(about.names) for names in called)


def test_made_up_tools_that_an_own_one_may_stand_for_are_left_out(tools, about, tmp_path, monkeypatch):
    engine, asked = small_engine(tmp_path), []

    def may_serve(engine, about, request: str) -> bool:
        asked.append(request)
        return len(asked) % 2 == 0

    monkeypatch.setattr(finetune, "own_tool_may_serve", may_serve)
    madeup = read_madeup()
    namesake = replace(madeup[0], name="play_song", family="")
    found = finetune.unlike_own([namesake, *madeup], engine, about)
    assert len(asked) in (finetune.STRANGE - 1, finetune.STRANGE)
    assert len(found) == (len(asked) + 1) // 2
    assert namesake not in found
    assert not any("{" in request for request in asked)


def test_training_adds_for_own_tools_what_decoding_adds(tools, about, tmp_path):
    engine = small_engine(tmp_path)
    known = [name for name in tools.names if name not in about.names]
    engine.manifest |= {"unseen": {"floor": 3.0}, "reluctance": 0.5, "tools": known}
    shown = Toolbox(
        (*tools.subset(known), *(replace(tools[n], examples=EXAMPLES[:2]) for n in about.names)), tools.rules
    )
    compiled, read = engine.compile(shown), engine.read("play Bolero by Maurice Ravel")
    logits, evidence = engine.evidence(read, compiled)
    expected = engine.bonus(evidence)
    assert expected.max() > 0
    bonus = finetune.UnseenBonus(known, 3.0, 0.5)
    bonus.look(engine.model, engine.tokenizer, compiled.layout)
    valid, needed = mx.array(read.batch.valid), mx.array(logits)[None]
    assert np.array(bonus.of(read.states, valid, needed)[0]) == pytest.approx(expected, abs=1e-4)

    plan = parse_plan('1. play_song("Bolero", "")\n2. current_song()')
    row = Row("play Bolero, what is it", plan, ((5, 11),), "terse", ())
    targets = collate([trace(row, Oracle(compiled.layout))], compiled.layout, 6)
    added = np.array(bonus(read.states, valid, needed, targets)[0])
    tool_at = [n for n, kind in enumerate(targets.kind[0]) if kind == TOOL]
    assert added.shape == (len(targets.kind[0]), compiled.layout.steps_at)
    assert added[tool_at[0], END_PLAN] == pytest.approx(-0.5 - expected.max(), abs=1e-4)
    first, second = (added[n, SPECIALS : SPECIALS + len(shown)] for n in tool_at[:2])
    assert first == pytest.approx(expected, abs=1e-4)
    song = shown.names.index("play_song")
    assert second[song] == 0
    assert np.delete(second, song) == pytest.approx(LATER * np.delete(expected, song), abs=1e-4)
    decoding = engine.decoding("play Bolero by Maurice Ravel", shown)
    cursor = Cursor(compiled.layout, row.request, read.words)
    assert decoding.due(cursor) == pytest.approx(first, abs=1e-4)
    cursor.steps.append(plan.steps[0])
    assert decoding.due(cursor) == pytest.approx(second, abs=1e-4)
    assert not added[[n for n in range(len(added)) if n not in tool_at]].any()
    assert added[tool_at[1], END_PLAN] == 0


def test_held_back_examples_join_after_most_of_the_steps(about):
    assert finetune.joins(about, 160) == 72
    assert finetune.joins(about, 6) == 6
    assert finetune.joins(replace(about, held=()), 160) == 160
    whole = ownworlds.everything(about)
    assert (whole.shown, whole.held) == ((*about.shown, *about.held), ())


def test_own_tools_stand_by_where_nobody_asks_for_them(about, shipped_tools):
    wordings = corpus.split(corpus.read_corpus()).train
    worlds = ownworlds.OwnWorlds(about, wordings, ["amber", "basil"], 0)
    asked = []
    for number in range(4):
        world = worlds.draw(number)
        rows = [row for row, _ in zip(world.generator.rows(), range(40), strict=False)]
        own = {step.tool for row in rows for step in row.plan.steps} & set(about.names)
        asked.append((set(about.names) <= set(world.tools.names), bool(own)))
    assert asked == [(True, True), (True, True), (True, True), (True, False)]


def test_an_own_request_may_be_what_shall_be_remembered(about):
    worlds = ownworlds.OwnWorlds(about, corpus.split(corpus.read_corpus()).train, ["amber", "basil"], 0)
    rows = [row for row, _ in zip(worlds.draw(3).generator.rows(), range(150), strict=False)]
    quoted = {str(value) for row in rows for step in row.plan.steps for value in step.arguments}
    assert quoted & {"play Golden Hour", "volume 30", "set the volume to 15", "play Bolero"}
    assert not quoted & {"tell me what's playing", "what song is this"}  # these would be asked and passed on


class Doubtful:
    """An engine that refuses everything; a little speaks for own tools where a request says "light"."""

    def __init__(self, names):
        self.names, self.manifest = names, {}

    def first_decision(self, text, tools):
        evidence = np.where([name in self.names for name in tools.names], 1.0 if "light" in text else -1.0, -np.inf)
        return np.array([5.0, *np.zeros(len(tools))]), evidence

    def bonus(self, evidence):
        return np.clip(evidence, 0, 6)

    def read(self, text):
        return text

    def compile(self, tools):
        return tools

    def evidence(self, read, compiled):
        return self.first_decision(read, compiled)


@pytest.mark.parametrize(
    ("request_", "missing", "doubt", "served"),
    [
        ("light on", True, 0, True),
        ("play jazz", True, 0, False),
        ("play jazz", True, 3, True),
        ("light on", False, 3, False),
    ],
    ids=["something speaks for an own tool", "nothing does", "nearly", "no tool could"],
)
def test_what_waits_for_a_missing_tool_is_no_refusal_where_an_own_one_may_serve_it(
    request_, missing, doubt, served, about
):
    assert finetune.own_tool_may_serve(Doubtful(about.names), about, request_, missing, doubt) == served


@pytest.fixture
def tuned(about, tmp_path) -> PointerEngine:
    """Fine-tuned weights with those before; what speaks for play_song is told by the word "play"."""
    small_engine(tmp_path / "root", seed=2)
    model = small_engine(tmp_path / "other", seed=1).model
    finetune.write(model, about, tmp_path / "root", tmp_path / "planner", settings(tmp_path, 6))
    engine = PointerEngine(tmp_path / "planner")
    engine.logit = 3.0

    def evidence(read, compiled):
        play = any(word.text == "play" for word in read.words)
        names = compiled.layout.tools.names
        return np.where([name == "play_song" and play for name in names], engine.logit, -9.0), np.full(
            len(names), -np.inf
        )

    engine.evidence = evidence
    return engine


def test_weights_before_answer_where_no_own_tool_is_asked_for(tuned, about):
    assert tuned.answering("play Bolero", about.tools) is tuned
    assert tuned.answering("text Ana hello", about.tools) is tuned.before
    assert tuned.before.before is None
    assert tuned.before.answering("play Bolero", about.tools) is tuned.before
    planner, plain = PointerPlanner(tuned), PointerPlanner(tuned.before)
    for request, alike in (("text Ana hello", True), ("play Bolero", False)):
        plans = [
            [step for step in each.plan(request, about.tools, (), finetune.NOW) if isinstance(step, Step)]
            for each in (planner, plain)
        ]
        assert (plans[0] == plans[1]) is alike
    names = PointerRetriever(tuned).scores("text Ana hello", about.tools)
    assert names == PointerRetriever(tuned.before).scores("text Ana hello", about.tools)


def test_own_tools_alone_refuse_what_they_do_not_serve(tuned, about):
    alone = about.tools.subset(about.names)
    *steps, _ = PointerPlanner(tuned).plan("text Ana hello", alone, (), finetune.NOW)
    assert steps == []


def test_before_is_measured_by_weights_that_have_not_learnt_the_held_back_examples(tuned, about, monkeypatch, tmp_path):
    asked = []

    def right(engine, tools, cases, measured=None):
        asked.append((engine.folder, [case.id.split("-")[0] for case in cases]))
        return [True]

    monkeypatch.setattr(finetune, "_right", right)
    old = [Case("old-0", "text Ana hello", (Plan(),), finetune.NOW, ())]
    finetune._before(about, tuned.folder, old, tmp_path / "out", lambda done, of: None)
    assert [(folder, set(ids)) for folder, ids in asked] == [
        (tuned.folder / "before", {"held"}),
        (tuned.folder, {"old"}),
    ]


@pytest.mark.parametrize(("logit", "offered"), [(4.0, True), (3.0, False), (-9.0, False)])
def test_the_weights_before_may_call_an_own_tool_where_tuned_ones_are_nearly_sure(tuned, about, logit, offered):
    tuned.logit = logit
    tools = about.tools if offered else about.tools.subset(set(about.tools.names) - set(about.names))
    assert tuned.offered("play Bolero", about.tools).names == tools.names
    assert tuned.offered("text Ana hello", about.tools).names == about.tools.names[: -len(about.names)]
    rivals = PointerPlanner(tuned).rivals("play Bolero", about.tools, ())
    before = whole(tuned.before.start("play Bolero", tools))[-1]
    assert rivals.before.cursor.steps == before.cursor.steps
    assert (rivals.own is None) == (logit < 0)
    if logit < 0:
        planned = PointerPlanner(tuned).plan("play Bolero", about.tools, (), finetune.NOW)
        assert [step for step in planned if isinstance(step, Step)] == before.cursor.steps


def test_what_tuned_weights_may_not_answer_those_before_are_judged_by(tuned, about):
    cases = [Case(str(n), q, (Plan(),), finetune.NOW, ()) for n, q in enumerate(["play Bolero", "text Ana hello"])]
    rivals = [PointerPlanner(tuned).rivals(case.query, about.tools, ()) for case in cases]
    assert rivals[0].own is not None
    assert rivals[1].own is None
    seen = []
    judged = finetune._judged(tuned, about.tools, cases, lambda done, of: seen.append((done, of)))
    assert [each.share for each in judged] == [rivals[0].share, -1.0]
    assert [each.right for each in judged] == [False, False]
    assert [each.otherwise for each in judged] == [not each.before.cursor.steps for each in rivals]
    assert seen == [(1, 2), (2, 2)]
    cases = [replace(cases[0], plans=(Plan(tuple(rivals[0].own.cursor.steps)),))]
    assert finetune._judged(tuned, about.tools, cases)[0].right


def test_what_is_refused_is_known_from_the_weights_before(tuned):
    vector = tuned.before.read("play Bolero").vector
    tuned.before.refusals = (vector / mx.linalg.norm(vector))[None]
    tuned.before.read.cache_clear()
    tuned.read.cache_clear()
    assert tuned.read("play Bolero").refused == pytest.approx(1.0, abs=1e-5)
    assert tuned.refusals is None


def test_whether_an_own_tool_may_serve_is_asked_without_the_refusals(about, tmp_path):
    small_engine(tmp_path)
    weights.save_refusals(tmp_path, mx.eye(64)[:3])
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    weights.save_manifest(tmp_path, {**manifest, "unseen": {"floor": 7.0}})
    engine = finetune._open_to_all(tmp_path)
    assert engine.manifest["unseen"] == finetune.OPEN == {"floor": -0.5, "refusing": 0.0}
    finetune.write(engine.model, about, tmp_path, tmp_path / "planner", settings(tmp_path, 6))
    tuned = PointerEngine(tmp_path / "planner")
    assert tuned.refusals is None
    assert tuned.before.refusals.shape == (3, 64)
    assert tuned.manifest["unseen"] == finetune.TUNED
    assert tuned.before.manifest == {**engine.manifest, "unseen": {"floor": 7.0}}


def test_a_planner_of_an_older_version_answers_from_the_chance_that_its_manifest_names(tuned, about):
    tuned.manifest["tuned"]["chance"] = 0.97
    assert tuned.answering("play Bolero", about.tools) is tuned.before
    tuned.manifest["tuned"]["chance"] = 0.9
    assert tuned.answering("play Bolero", about.tools) is tuned


def test_the_old_tools_decide_which_share_a_tuned_plan_must_have():
    before = Scores(0.5, 1.0)
    held = [Judged(0.99, True, True), Judged(0.4, True, False)]
    old = [Judged(-1.0, False, True), Judged(0.3, False, True), Judged(0.45, False, True), Judged(0.75, True, True)]
    assert finetune._boldest(before, held, old) == Outcome(before, Scores(0.5, 1.0), 0.5)
    assert finetune._boldest(before, held, old[:1] + old[3:] * 3).share == finetune.SHARES[0]
    worse = finetune._boldest(before, held, [Judged(1.0, False, True)] * 4)
    assert (worse.better, worse.share) == (False, finetune.SHARES[-1])


def test_without_held_back_examples_the_old_tools_decide_alone():
    before = Scores(None, 1.0)
    assert finetune._boldest(before, [], [Judged(0.8, False, True)]) == Outcome(before, Scores(None, 1.0), 0.85)


def test_lures_sound_like_the_own_tools(about, monkeypatch):
    wordings = [w for w in corpus.split(corpus.read_corpus()).train if w.plan.steps]
    monkeypatch.setattr(finetune, "LURES", 2)
    found = finetune.lures(
        wordings[:80] + [w for w in wordings if "light" in w.text][:2], Doubtful(about.names), about, ["amber"]
    )
    assert all("light" in wording.text for wording in found)


def test_it_stops_and_goes_on_and_writes_a_planner_that_knows_its_tools(about, tmp_path, monkeypatch):
    for bound in ("STRANGE", "REFUSALS", "LURES_OF"):  # what is looked through before the first step: a few will do
        monkeypatch.setattr(finetune, bound, 8)
    start, out = tmp_path / "start", tmp_path / "out"
    small_engine(start)
    steps: list[int] = []

    def until(last: int):
        def tell(progress) -> bool:
            steps.append(progress.step)
            return progress.step == last

        return tell

    assert finetune.finetune(about, start, out, settings(out, 6), until(2)) is None
    assert (out / "before.json").is_file()
    (out / "held_back.json").write_text('[{"share": 0.9, "right": true}]')  # as an older version left it
    outcome = finetune.finetune(about, start, out, settings(out, 6), until(99))
    assert steps == [1, 2, 3, 4, 5, 6]
    assert outcome is not None
    assert outcome.before.own is not None
    assert outcome.after.own is None
    manifest = PointerEngine(out / "planner").manifest
    assert manifest["tuned"]["own_tools"] == list(about.names)
    assert manifest["toolbox"] == about.tools.fingerprint
    assert manifest["tuned"]["share"] == outcome.share
    assert (out / "planner" / "before" / "model.safetensors").read_bytes() == (start / "model.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("before", "after", "better"),
    [
        (Scores(0.5, 0.9), Scores(0.9, 0.9), True),
        (Scores(0.5, 0.9), Scores(0.9, 0.89), True),
        (Scores(0.5, 180 / 199), Scores(0.9, 178 / 199), True),
        (Scores(0.5, 180 / 199), Scores(0.9, 177 / 199), False),
        (Scores(0.5, 0.9), Scores(0.9, 0.88), False),
        (Scores(0.5, 0.9), Scores(0.4, 0.95), False),
        (Scores(None, 0.9), Scores(None, 0.9), True),
    ],
    ids=[
        "gained",
        "lost a point",
        "two of 199",
        "three of 199",
        "lost two points",
        "own tools lost",
        "nothing held back",
    ],
)
def test_only_what_is_better_is_installed(before, after, better):
    assert Outcome(before, after).better is better


def test_planners_are_installed_used_and_taken_back(tmp_path):
    planners = Planners(tmp_path / "planners")
    assert planners.in_use is None
    for number in (1, 2):
        small_engine(tmp_path / "made", seed=number)
        assert planners.install(tmp_path / "made").name == str(number)
        assert not (tmp_path / "made").exists()
    assert planners.in_use == tmp_path / "planners" / "2"
    assert planners.rollback() == tmp_path / "planners" / "1"
    assert planners.rollback() is None
    with pytest.raises(ConfigError, match="shipped planner is in use already"):
        planners.rollback()


def test_a_rollback_goes_to_what_was_in_use_and_not_to_what_was_rejected(tmp_path):
    planners = Planners(tmp_path / "planners")
    for number in (1, 2, 3):
        small_engine(tmp_path / "made", seed=number)
        planners.install(tmp_path / "made")
        if number == 2:
            planners.rollback()
    assert planners.rollback() == tmp_path / "planners" / "1"
    assert planners.rollback() is None


def test_what_an_older_version_installed_goes_back_by_number(tmp_path):
    planners = Planners(tmp_path / "planners")
    for number in (1, 2):
        small_engine(tmp_path / "made", seed=number)
        (planners.install(tmp_path / "made") / "installed_after").unlink()
    assert planners.rollback() == tmp_path / "planners" / "1"


def test_a_planner_that_is_gone_is_an_error_with_a_way_out(tmp_path):
    (tmp_path / "in_use").write_text("7\n")
    with pytest.raises(ConfigError, match=r"'7' is no planner.*--rollback"):
        _ = Planners(tmp_path).in_use
    assert Planners(tmp_path).rollback() is None


def test_the_command_rolls_back(tmp_path, capsys):
    small_engine(tmp_path / "made")
    Planners(tmp_path / "planners").install(tmp_path / "made")
    assert main(["finetune", "--rollback", "--json", "--home", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out) == {"in_use": "shipped planner"}


def test_the_command_needs_a_tool_of_ones_own(tmp_path, capsys):
    assert main(["finetune", "--home", str(tmp_path)]) == 2
    assert "no tool of your own" in capsys.readouterr().err
