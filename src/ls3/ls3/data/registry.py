"""The registry of formats: what `ls3 data import` can read and `ls3 data export` can write.

A format is one module of `ls3.data.formats` with a constant ``FORMAT``, and the module's name is
the format's name. A new format is a new file there, and nothing else has to know of it.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from dvrk_cable_env.bags.rules import Rules
from dvrk_cable_env.bags.video import RecordedVideo
from ls3.data.recording import Recording
from ls3_common.domain import DomainSpec
from ls3_common.errors import UserError
from ls3_models.episodes import Episode

Direction = Literal["import", "export"]
_PACKAGE = "ls3.data.formats"
FALLBACK = "bag"
"""Format of an import whose files no other format recognises."""


@dataclass(frozen=True)
class DataFacts:
    """Facts about a whole data set that the formats record.

    environment: name of the Gymnasium environment. robot: type of the robot; empty if there is
    none. description: the task in words. observation_shape: (height, width, channel).
    channels: number of channels of one frame; an observation may stack several frames.
    action_low, action_high: bounds of each action component. action_unit: unit of the actions.
    rate: nominal number of steps per second. recordings: recordings of the episodes, for formats
    that hold every recorded frame; without any, a data set holds one frame per step.
    report: is called with each remark for the user.
    """

    domain: str
    environment: str
    robot: str
    description: str
    observation_shape: tuple[int, int, int]
    channels: int
    action_low: tuple[float, ...]
    action_high: tuple[float, ...]
    action_unit: str
    rate: int
    recordings: Sequence[Recording] = ()
    report: Callable[[str], None] = print


@dataclass(frozen=True)
class ImportOptions:
    """What a format may need to know of an import.

    rules: how recordings become episodes. observation_shape: (height, width, channel) of the
    domain. videos, video_fault: of `--video`. eye: half of a stereo video to use, `left` or
    `right`. stereo: whether videos that do not say so show two eyes side by side. stages: names of
    the stages to import; empty: all. spec: facts of the task.
    """

    rules: Rules = field(default_factory=Rules)
    observation_shape: tuple[int, int, int] = (64, 64, 1)
    videos: Sequence[RecordedVideo] = ()
    video_fault: str = ""
    eye: str = "left"
    stereo: bool = False
    stages: tuple[str, ...] = ()
    spec: DomainSpec | None = None

    @property
    def task(self) -> DomainSpec:
        """The facts of the task, of an import."""
        assert self.spec is not None
        return self.spec


@dataclass(frozen=True)
class DataFormat:
    """How one format is read and written. A format that is only written has no `open`.

    description: the format in a few words. needs: Python modules of the extra ``ls3[export]`` that
    the format needs. frames: whether `export` writes every frame of `DataFacts.recordings`. find:
    returns the recordings of this format at a path, none if the path holds another format. open:
    opens one of them; raises DataError if it cannot be read. export: writes episodes into a new and
    empty directory, with only one episode in memory. any_task: whether recordings need no arm, and
    may be of any task.
    """

    description: str
    needs: tuple[str, ...] = ()
    frames: bool = False
    find: Callable[[Path, ImportOptions], Sequence[Path]] = lambda path, options: ()
    open: Callable[[Path, ImportOptions], Recording] | None = None
    export: Callable[[Sequence[Episode], DataFacts, Path], None] | None = None
    any_task: Callable[[ImportOptions], bool] = lambda options: False

    def opener(self, options: ImportOptions) -> Callable[[Path], Recording]:
        """Return what opens a recording with these options."""
        opening = self.open
        assert opening is not None
        return lambda path: opening(path, options)


def format_names() -> list[str]:
    """Return the names of all formats, without loading any."""
    folders = importlib.import_module(_PACKAGE).__path__
    return sorted(module.name for module in pkgutil.iter_modules(folders))


def find_format(name: str, direction: Direction) -> DataFormat:
    """Return the format called `name`.

    Raises:
        UserError: there is no such format for this direction, or a module that the format needs is
            not installed.
    """
    known = {each: found for each in format_names() if _can(found := _load(each), direction)}
    if name not in known:
        option = "--from" if direction == "import" else "--format"
        lines = [f"{each}: {found.description}" for each, found in known.items()]
        raise UserError(f"{option} {name}: no such format", do="\n     ".join(lines))
    for module in known[name].needs:
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name != module:
                raise
            raise UserError(
                f"the format {name} needs {module}", do="pip install 'ls3[export]'"
            ) from None
    return known[name]


def find_recordings(path: Path, name: str, options: ImportOptions) -> list[tuple[Path, DataFormat]]:
    """Return the recordings at `path`, each with its format.

    name: of the format; `auto`: as the files show.

    Raises:
        UserError: there is no such format, it needs a module that is not installed, it is of tasks
            with an arm and this task has joints, or `path` holds no recording of this format.
    """
    name = recognised(path, options) if name == "auto" else name
    found = find_format(name, "import")
    if options.task.joints and not found.any_task(options):
        raise UserError(
            f"the format {name} is read for a domain with an arm, and this domain has joints only",
            where=str(path),
            do="give --action-topic, or another --domain; docs/own_data.md says what is read",
        )
    paths = found.find(path, options)
    if not paths:
        do = "choose other --stages" if options.stages else "leave --from out, or give another"
        raise UserError(f"no recording of the format {name}", where=str(path), do=do)
    return [(one, found) for one in paths]


def recognised(path: Path, options: ImportOptions) -> str:
    """Return the name of the format of the files at `path`; `FALLBACK` if none knows them."""
    all_stages = replace(options, stages=())
    for name in format_names():
        if name != FALLBACK and _load(name).find(path, all_stages):
            return name
    return FALLBACK


def _load(name: str) -> DataFormat:
    found = importlib.import_module(f"{_PACKAGE}.{name}").FORMAT
    assert isinstance(found, DataFormat)
    return found


def _can(found: DataFormat, direction: Direction) -> bool:
    return (found.open if direction == "import" else found.export) is not None
