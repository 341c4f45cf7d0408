"""Models by name: fetch one from the hub, convert it to 4 bits, plan with it, learn its prompt, remove it."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tinyagent_mlx import catalog, hub, installed, settings
from tinyagent_mlx.catalog import SHIPPED, Entry
from tinyagent_mlx.cli import places, setup
from tinyagent_mlx.errors import ConfigError, ModelError, UsageError
from tinyagent_mlx.hub import MODEL, TOKENIZER, Hub, Repository
from tinyagent_mlx.installed import Installed, Models

BITS, GROUP = 4, 32
GB = 1e9
MARGIN = 0.2  # GB of the disk that stay free
_SIZES = {"download_gb": "{} to download", "size_gb": f"{{}} in {BITS} bits", "memory_gb": "about {} of memory"}
SHARE = 0.8  # of the machine's memory that a model may fill


def add_options(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = _action(verbs, "list", "list the models that are known by name, and those that are here")
    listing.add_argument("--json", action="store_true", help="print one JSON object")
    pulling = _action(verbs, "pull", "fetch a model, its tokenizer, and the layout of the prompts it was trained with")
    pulling.add_argument("name", metavar="NAME", help="a name from the list, or a hub id such as mlx-community/NAME")
    pulling.add_argument("--from", dest="source", type=Path, metavar="FOLDER", help="instead of the network: a hub cache, or the model's folder")  # fmt: skip
    pulling.add_argument(
        "--no-profile", action="store_true", help="do not learn the layout of its prompts from its dataset"
    )
    converting = _action(verbs, "convert", "quantize a model that was fetched")
    converting.add_argument("name", metavar="NAME")
    converting.add_argument("--bits", type=int, default=BITS, metavar="N", help=f"bits a weight (default: {BITS}); 16 only changes the layout")  # fmt: skip
    converting.add_argument("--group-size", type=int, default=GROUP, metavar="N", help=f"weights that share a scale (default: {GROUP})")  # fmt: skip
    converting.add_argument("--drop-source", action="store_true", help="delete the fetched weights afterwards")
    using = _action(verbs, "use", "plan with a model from now on, or with the shipped planner again")
    using.add_argument(
        "name", metavar="NAME", help=f"a model that is here, NAME/SIZE, a model's folder, or '{SHIPPED}'"
    )
    removing = _action(verbs, "remove", "delete a model from this machine")
    removing.add_argument("name", metavar="NAME", help="a model that is here, or NAME/SIZE for one size of it")
    removing.add_argument("--yes", action="store_true", help="do not ask")
    learning = _action(verbs, "profile", "show the layout of a model's prompts, or learn it")
    learning.add_argument("--for", dest="name", required=True, metavar="MODEL", help="a model that is here, or a model's folder")  # fmt: skip
    learning.add_argument("--learn", type=Path, metavar="FILE", help="the dataset's JSON that it was trained on, or one prompt in a text file")  # fmt: skip
    learning.add_argument("--frame", metavar="NAME", help="what stands around the prompt: text, alpaca, vicuna, or a text with {system} and {user}")  # fmt: skip
    using.add_argument("--as", dest="role", choices=("planner", "writer"), help="what it is to do; 'none' is no writer")
    for action in (converting, using):
        action.add_argument("--force", action="store_true", help="even if this machine's memory looks too small")


def _action(actions: Any, name: str, text: str) -> argparse.ArgumentParser:
    """An action takes the verb's own options too, on either side of its name."""
    made: argparse.ArgumentParser = actions.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    places.add_options(made, again=True)
    return made


def call(options: argparse.Namespace) -> int:
    models = setup.models(options)
    actions: dict[str, Callable[[argparse.Namespace, Models], int]] = {
        "list": _list, "pull": pull, "convert": convert, "use": use, "remove": _remove, "profile": _profile,
    }  # fmt: skip
    return actions[options.action](options, models)


def _list(options: argparse.Namespace, models: Models) -> int:
    chosen = setup.settings(options)
    here = {model.name: model for model in models.all()}
    entries = {**catalog.known(), **{name: _entry(model) for name, model in here.items()}}
    rows = [_row(entry, here.get(name), chosen) for name, entry in entries.items()]
    if options.json:
        used = {"in_use": chosen.model or SHIPPED, "retriever": chosen.retriever or SHIPPED, "writer": chosen.writer}
        print(json.dumps({**used, "models": rows}))
        return 0
    print(f"{SHIPPED}: planner and retriever{'' if chosen.model and chosen.retriever else ', in use'}")
    for row in rows:
        sizes = (words.format(_gb(row[key])) for key, words in _SIZES.items() if row[key])
        print(f"{row['name']}: {', '.join([row['id'], row['kind'], *sizes])}")
        if row["here"]:
            uses = f"{', in use' if row['in_use'] else ''}{', writes' if row['writes'] else ''}"
            print(f"    here: {', '.join(row['here'])}{uses}")
    return 0


def _entry(model: Installed) -> Entry:
    return replace(catalog.find(model.id), name=model.name, kind=model.kind)


def _row(entry: Entry, model: Installed | None, chosen: settings.Settings) -> dict[str, Any]:
    quantized = entry.kind != "retriever"
    here = {place.name: installed.size(place) / GB for place in model.folders} if model else {}
    return {
        "name": entry.name, "id": entry.id, "kind": entry.kind, "about": entry.about, "download_gb": entry.download,
        "size_gb": round(entry.size(BITS, GROUP), 2) if quantized else 0.0,
        "memory_gb": round(entry.memory(BITS if quantized else 32, GROUP), 1) if entry.parameters else 0.0,
        "here": [f"{name} {_gb(size)}" for name, size in here.items()],
        "in_use": entry.name in (chosen.model.partition("/")[0], chosen.retriever),
        "writes": entry.name == chosen.writer.partition("/")[0],
    }  # fmt: skip


def _gb(size: float) -> str:
    return f"{size:.2f} GB" if size else ""


def pull(options: argparse.Namespace, models: Models) -> int:
    """Weights, then a tokenizer, then the prompt's layout; what is here already is not fetched again."""
    entry, fetching = catalog.find(options.name), Hub(options.source)
    place = models.folder / entry.name
    source, began = place / installed.SOURCE, time.perf_counter()

    def room(missing: int) -> None:
        check_disk(place, missing / GB + entry.size(BITS, GROUP), f"{entry.id}: fetching and converting it")
        _tell(f"{entry.id}: {missing / GB:.2f} GB to download" if missing else f"{entry.id}: found on this machine")

    _warn_of_memory(entry)
    revision = fetching.fetch(Repository(entry.id, MODEL + TOKENIZER), source, room)
    if entry.tokenizer and not _has_tokenizer(source):
        fetching.fetch(Repository(entry.tokenizer, TOKENIZER), source, lambda _: _tell(f"tokenizer: {entry.tokenizer}"))
    lacks = hub.whole(source) or ("" if _has_tokenizer(source) else "it has no tokenizer")
    if lacks:
        raise ModelError(f"{source}: is no whole model: {lacks}")
    model = models.keep(entry.name, entry.id, entry.kind, revision)
    _tell(f"{source}: {installed.size(source) / GB:.2f} GB, {time.perf_counter() - began:.0f} s")
    if entry.kind != "retriever":
        _first_profile(model, entry, fetching, options)
    _tell(f"Next: {_next(model)}")
    return 0


def _has_tokenizer(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer.model"))


def _next(model: Installed) -> str:
    from tinyagent_mlx.conversion import is_quantized

    ready = model.kind == "retriever" or model.variants or is_quantized(model.source)
    return f"tinyagent models {'use' if ready else 'convert'} {model.name}"


def _first_profile(model: Installed, entry: Entry, fetching: Hub, options: argparse.Namespace) -> None:
    """The layout of the prompts that a model was trained with: from its dataset, else ours in the frame that it knows."""
    from tinyagent_mlx.prompt import FRAMES, PROFILES

    if entry.frame and not _keep_file(model).is_file():
        ours = PROFILES.get(entry.frame) or replace(
            PROFILES["plain"], name=entry.frame, frame=FRAMES[entry.frame], chat=False
        )
        _keep(model, ours)
    if not entry.dataset or options.no_profile:
        return
    name, file = entry.dataset
    place = model.folder / "dataset"
    try:
        fetching.fetch(Repository(name, (file,), "dataset"), place, lambda _: _tell(f"its prompts: {name}"))
    except ModelError as error:
        _tell(f"The layout of its prompts was not learnt: {error}")
        _tell(f"Until then it plans with our own; `tinyagent models profile --for {model.name} --learn FILE` learns it")
        return
    _learn(model, place / file, entry.frame)


def convert(options: argparse.Namespace, models: Models) -> int:
    from tinyagent_mlx import conversion

    model = models.get(options.name)
    if model.kind == "retriever":
        raise UsageError(f"{model.name} is a classifier, which is used as it is: tinyagent models use {model.name}")
    if options.bits not in conversion.BITS or options.group_size not in conversion.GROUPS:
        allowed = f"expected --bits {_either(conversion.BITS)} and --group-size {_either(conversion.GROUPS)}"
        raise UsageError(f"--bits {options.bits} --group-size {options.group_size}: {allowed}")
    if lacks := hub.whole(model.source):
        raise ModelError(f"{model.source}: {lacks}; `tinyagent models pull {model.id}` fetches it")
    if conversion.is_quantized(model.source):
        raise ModelError(f"{model.name}: is quantized as it was published: tinyagent models use {model.name}")
    weights = sum(file.stat().st_size for file in model.source.glob("*.safetensors")) / GB
    needed = weights * (options.bits + 32 / options.group_size) / 16
    check_disk(model.folder, needed, f"{model.name} in {options.bits} bits")
    check_memory(needed + weights / 2, f"converting {model.name}", options.force)
    began = time.perf_counter()
    place = model.folder / (f"{options.bits}bit-g{options.group_size}" if options.bits < 16 else "16bit")
    conversion.convert(model.source, place, options.bits, options.group_size)
    if _keep_file(model).is_file():
        shutil.copyfile(_keep_file(model), place / _keep_file(model).name)
    if options.drop_source:
        models.remove(model.name, installed.SOURCE)
    size = sum(file.stat().st_size for file in place.glob("*.safetensors")) / GB
    _tell(f"{place}: {size:.3f} GB, {time.perf_counter() - began:.0f} s")
    _tell(f"Next: tinyagent models use {model.name}")
    return 0


def _either(values: tuple[int, ...]) -> str:
    return " or ".join(map(str, values))


def use(options: argparse.Namespace, models: Models) -> int:
    """Write the choice into settings.yaml; plan, run and the terminal UI read it."""
    file, word = setup.settings_file(options), options.name
    writes = options.role == "writer"
    if writes and word in (setup.NOBODY, SHIPPED):
        settings.change(file, writer="")
        _tell("nobody writes: the request's own words are used")
        return 0
    if word == SHIPPED:
        settings.change(file, model="", retriever="")
        _tell("in use: the shipped planner and retriever")
        return 0
    word, place, kind = _found(word, models)
    if lacks := hub.whole(place):
        raise ModelError(f"{place}: {lacks}")
    weights = sum(found.stat().st_size for found in place.glob("*.safetensors")) / GB
    if options.role and kind == "retriever":
        raise UsageError(f"{word} is a classifier of tools: leave --as {options.role} out")
    check_memory(weights + 0.5, f"{'writing' if writes else 'planning'} with {word}", options.force)
    settings.change(file, **{"retriever" if kind == "retriever" else "writer" if writes else "model": word})
    _tell(f"{'writes from now on' if writes else 'in use'}: {place}")
    return 0


def _found(word: str, models: Models) -> tuple[str, Path, str]:
    """A model that is here, by name, name/size or hub id, or a folder: as settings.yaml names it, its folder, its kind."""
    folder = Path(word).expanduser()
    if word.partition("/")[0] in models:
        return word, models.usable(word), models.get(word.partition("/")[0]).kind
    if (folder / "config.json").is_file():
        return str(folder.absolute()), folder, "base"
    model = models.get(catalog.find(word).name)
    return model.name, model.usable(), model.kind


def _remove(options: argparse.Namespace, models: Models, asker: Callable[[str], str] = input) -> int:
    name, _, variant = options.name.partition("/")
    model = models.get(name)
    size = installed.size(model.usable(variant) if variant else model.folder) / GB
    if not options.yes:
        if not sys.stdin.isatty():
            raise UsageError(f"remove {options.name}: {size:.2f} GB would be deleted; --yes says so without a question")
        if asker(f"Delete {options.name}, {size:.2f} GB? [y/N] ").strip().lower() not in ("y", "yes"):
            _tell("nothing was deleted")
            return 1
    models.remove(name, variant)
    chosen, file = setup.settings(options), setup.settings_file(options)
    if chosen.retriever == name:
        settings.change(file, retriever="")
    if chosen.model in (name, options.name) or (not variant and chosen.model.startswith(f"{name}/")):
        settings.change(file, model=name if variant and name in models and model.folders else "")
    if chosen.writer in (name, options.name) or (not variant and chosen.writer.startswith(f"{name}/")):
        settings.change(file, writer=name if variant and name in models and model.folders else "")
    _tell(f"deleted: {options.name}, {size:.2f} GB; in use: {setup.settings(options).model or 'the shipped planner'}")
    return 0


def _profile(options: argparse.Namespace, models: Models) -> int:
    if options.learn:
        learn_for(options.name, options.learn, options.frame or "", models)
        return 0
    if options.frame:
        raise UsageError("--frame belongs to --learn FILE")
    from tinyagent_mlx.language import trained_profile
    from tinyagent_mlx.profile import to_data

    print(json.dumps(to_data(trained_profile(_for(options.name, models).folder)), ensure_ascii=False, indent=1))
    return 0


def learn_for(word: str, file: Path, frame: str, models: Models) -> None:
    """Learn the layout of a model's prompts from a file; without a frame the one that the model is known to expect."""
    model = _for(word, models)
    _learn(model, file, frame or (_entry(model).frame if model.id else "") or "text")


def _for(word: str, models: Models) -> Installed:
    """A model that is here, or the one of a folder."""
    if word in models:
        return models.get(word)
    folder = Path(word).expanduser()
    if not (folder / "config.json").is_file():
        raise ConfigError(f"--for: {word!r} is neither a model that is here nor a model's folder")
    return Installed(folder.name, folder, "", "base")


def _learn(model: Installed, file: Path, frame: str) -> None:
    """Learn a layout, check it against all it was learnt from, and keep it beside the model."""
    from tinyagent_mlx.lab.learnt import learn
    from tinyagent_mlx.prompt import FRAMES

    if frame not in FRAMES and not ("{system}" in frame and "{user}" in frame):
        raise UsageError(f"--frame {frame!r}: is none of {', '.join(FRAMES)}, nor a text with {{system}} and {{user}}")
    found = learn(file, model.name, frame)
    _keep(model, found.profile)
    whole = (
        "all of them byte for byte" if found.reproduced == found.rows else f"{found.reproduced} of them byte for byte"
    )
    _tell(
        f"{_keep_file(model)}: a layout of {len(found.profile.blocks)} tools, learnt from {found.rows} prompts; it writes {whole}"
    )
    _tell(f"  {found.examples} examples kept, {found.as_printed} of them as our own printer writes plans")
    for reason, count in found.unread.items():
        _tell(f"  {count} rows not read: {reason}")
    for line in found.missed:
        _tell(f"  not reproduced: {line}")


def _keep_file(model: Installed) -> Path:
    from tinyagent_mlx.language import PROMPT_FILE

    return model.folder / PROMPT_FILE


def _keep(model: Installed, profile: Any) -> None:
    """Beside the model, and in each folder of weights, where planning reads it."""
    from tinyagent_mlx.language import keep_profile

    for place in (model.folder, *model.folders):
        keep_profile(place, profile)


def check_disk(place: Path, needed: float, what: str) -> None:
    """Raises `ModelError` when the disk has no room. In GB."""
    there = next(folder for folder in (place, *place.absolute().parents) if folder.exists())
    free = shutil.disk_usage(there).free / GB
    if needed + MARGIN > free:
        raise ModelError(
            f"{what} takes {needed:.2f} GB of disk, and {there} has {free:.2f} GB free; --home DIR names another disk"
        )


def _warn_of_memory(entry: Entry) -> None:
    needed = entry.memory(BITS, GROUP)
    if entry.parameters and needed > SHARE * setup.memory() / GB:
        _tell(
            f"{entry.id}: takes {needed:.1f} GB of memory in {BITS} bits, and this machine has {setup.memory() / GB:.1f} GB"
        )


def check_memory(needed: float, what: str, force: bool) -> None:
    """Raises `ModelError` when the machine is too small. In GB."""
    total = setup.memory() / GB
    if needed > SHARE * total and not force:
        raise ModelError(
            f"{what} takes about {needed:.1f} GB of memory, and this machine has {total:.1f} GB; --force tries it"
        )


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
