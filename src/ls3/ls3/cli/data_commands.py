"""`ls3 data`: imports recordings, inspects data sets, and exports them to other libraries."""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from ls3_common.errors import DataError, UserError
from ls3_common.files import replacing

if TYPE_CHECKING:
    from dvrk_cable_env.bags.video import RecordedVideo
    from ls3.data.import_report import ImportRow
    from ls3.data.recording import Recording
    from ls3.data.registry import ImportOptions
    from ls3.runs.domains import Domain


@dataclass(kw_only=True)
class Reading:
    """Options of all commands that read recordings."""

    out: Path
    """Directory to write: of the data set, or of the export, which must be new or empty."""
    domain: str = "cable_routing"
    """Name of the task that the data belong to."""
    config: Path | None = None
    """Configuration file of the robot, for crop, colours and limits; by default the domain's."""
    camera: str = ""
    """Camera's topic, if it is not camera/image_raw[/compressed]; or name of the camera's video, or
    its feature in a LeRobot data set, if there are several."""
    namespace: str = ""
    """Namespace of the graph's topics, if the bag holds several."""
    arm: str = ""
    """CRTK name of the arm, if the recording holds several."""
    clutch: tuple[str, ...] = ()
    """Topics of the operator's clutch (Joy or Bool); by default all whose names end in /clutch."""
    video: tuple[Path, ...] = ()
    """Videos of dvrk_data (side-car or MP4 files), to use instead of a bag's camera topic."""
    eye: Literal["left", "right"] = "left"
    """Which half of a stereo video to use."""
    stereo: bool = False
    """Videos of data_collection show two eyes side by side."""

    def options(
        self,
        domain: Domain,
        actions: Literal["auto", "commands", "setpoints"] = "auto",
        period: float = 0.5,
        *,
        arm: bool = True,
    ) -> ImportOptions:
        """Return what the formats need to know to read recordings; `arm`: those of an arm."""
        from dvrk_cable_env.bags.records import TopicNames
        from dvrk_cable_env.bags.rules import Rules
        from ls3.data.import_rules import read_rules
        from ls3.data.registry import ImportOptions
        from ls3_common.shared import find_shared

        path = self.config or find_shared(f"config/{domain.name}.yaml")
        assert path is not None  # load_domain has read this file
        names = TopicNames(self.namespace, self.camera, self.arm, self.clutch)
        rules = Rules(names=names, actions=actions, period=period)
        if arm:
            rules = read_rules(path, domain.spec, names=names, actions=actions, period=period)
        videos, fault = self._videos()
        return ImportOptions(
            rules=rules,
            observation_shape=domain.spec.observation_shape,
            spec=domain.spec,
            videos=videos,
            video_fault=fault,
            eye=self.eye,
            stereo=self.stereo,
        )

    def _videos(self) -> tuple[list[RecordedVideo], str]:
        """The videos that can be read, and what is wrong with the others."""
        from dvrk_cable_env.bags.video import read_video

        found, faults = [], []
        for path in self.video:
            try:
                found.append(read_video(path, self.eye))
            except DataError as error:
                faults.append(f"{path.name}: {error.what}")
                print(f"--video {path}: {error.what}")
        return found, "; ".join(faults)


@dataclass(kw_only=True)
class Import(Reading):
    """Turn recordings into episodes. Recordings are only read. Episodes that were imported before
    with the same settings and labels are kept.
    """

    recordings: tyro.conf.Positional[tuple[Path, ...]]
    """Bags (directories of `ros2 bag record`, or single .mcap or .db3 files), sessions of
    data_collection or directories of them, LeRobot data sets, or files of arrays (npz, HDF5)."""
    from_format: Annotated[str, tyro.conf.arg(name="from")] = "auto"
    """Format of the recordings: bag, data_collection, lerobot, npz, robomimic, or any other file in
    ls3/data/formats; auto: as their files show."""
    labels: Path | None = None
    """YAML file of corrections: NAME/INDEX: {discard, source, success_from, violation_from}."""
    source: Literal["auto", "demonstration", "random", "constraint", "online"] = "auto"
    """Kind of the episodes; auto: as the start marks say or, without marks, online if a planner
    commanded the arm and a demonstration otherwise. A demonstration that fails becomes random, one
    that violates becomes constraint."""
    actions: Literal["auto", "commands", "setpoints"] = "auto"
    """Source of the actions: the topic arm_command, or differences of the arm's setpoint; auto:
    arm_command if the bag holds any."""
    period: float = 0.5
    """Seconds between two states, if actions come from setpoints."""
    action_topic: str = ""
    """Topic of the actions in bags of a task without an arm of ours, one message a step."""
    action_fields: tuple[str, ...] = ()
    """Numbers of an action in its message, such as twist.linear.x; by default `data`."""
    crop: tuple[int, int, int, int] | None = None
    """LEFT TOP WIDTH HEIGHT in px of the part of each picture to use, of a task without an arm of
    ours; by default all."""
    stages: tuple[str, ...] = ()
    """Stages of data_collection to import; by default all."""
    dry_run: bool = False
    """Print what would be imported, and write nothing."""

    def execute(self) -> None:
        """Import the recordings, print one line per episode and a total."""
        from ls3.data.data_import import Importer
        from ls3.data.data_labels import read_corrections
        from ls3.data.registry import find_recordings
        from ls3.runs import dataset
        from ls3.runs.domains import load_domain

        domain = load_domain(self.domain, self.config)
        if not self.period > 0:
            raise UserError(f"--period is {self.period}", do="give more than 0 seconds")
        corrections = read_corrections(self.labels) if self.labels else {}
        options = self._options(domain, arm=False)
        found = [
            recording
            for path in self.recordings
            for recording in find_recordings(path, self.from_format, options)
        ]
        if not all(form.any_task(options) for _, form in found):
            options = self._options(domain, arm=True)
        if not self.dry_run:
            dataset.claim(self.out, domain, recorded=True)
        importer = Importer(self.out, options.rules, corrections, self.source, self.dry_run, _show)
        rows = [row for path, form in found for row in importer.run(path, form.opener(options))]
        unused = sorted(set(corrections) - {row.episode for row in rows})
        if unused:
            print(f"{self.labels}: no such episode in these recordings: {', '.join(unused)}")
        counts = Counter(row.verdict for row in rows)
        verdicts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
        print(f"{self.out}: {verdicts}{' (dry run: nothing written)' if self.dry_run else ''}")
        if not counts["imported"] + counts["present"]:
            raise UserError(
                "no episode could be imported",
                where=str(self.out),
                do="see the reasons above, one per episode",
            )

    def _options(self, domain: Domain, *, arm: bool) -> ImportOptions:
        options = self.options(domain, self.actions, self.period, arm=arm)
        rules = dataclasses.replace(
            options.rules,
            crop=self.crop or (),
            action_topic=self.action_topic,
            action_fields=self.action_fields,
        )
        return dataclasses.replace(options, stages=self.stages, rules=rules)


@dataclass(kw_only=True)
class Inspect:
    """Print what a data set holds, and draw a contact sheet of its frames."""

    directory: tyro.conf.Positional[Path]
    """Directory of the data set."""
    domain: str = "cable_routing"
    """Name of the task that the data belong to."""
    config: Path | None = None
    """Configuration file to read instead of the domain's."""
    sheet: Path | None = None
    """PNG file of the contact sheet; by default contact_sheet.png in the directory."""
    rows: int = 16
    """Number of episodes on the contact sheet."""
    columns: int = 10
    """Number of frames of each episode."""

    def execute(self) -> None:
        """Print the figures and write the contact sheet."""
        from ls3.data import data_inspect
        from ls3.runs.domains import load_domain

        if self.rows < 1 or self.columns < 1:
            raise UserError(
                f"--rows is {self.rows} and --columns is {self.columns}", do="give 1 or more"
            )
        domain = load_domain(self.domain, self.config)
        spec = domain.spec
        summary = data_inspect.summarise(self.directory, spec)
        print("\n".join(summary.lines(domain.algorithm.trajectories)))
        path = self.sheet or self.directory / "contact_sheet.png"
        picture = data_inspect.contact_sheet(self.directory, self.rows, self.columns, spec.channels)
        with replacing(path) as part:
            picture.save(part)
        print(f"{path} is written")


@dataclass(kw_only=True)
class Export(Reading):
    """Write a data set in the format of another library."""

    files: tyro.conf.Positional[tuple[Path, ...]]
    """Directories of episodes, or single .h5 files."""
    format: str
    """lerobot: LeRobot v3.0; open_h: LeRobot v2.1 by the rules of Open-H-Embodiment; minari: Minari
    with HDF5 files; or any other file in ls3/data/formats."""
    fps: int = 2
    """Nominal number of steps per second. LeRobot wants a regular clock; an arm's steps vary a
    little."""
    recordings: tuple[Path, ...] = ()
    """Recordings that the episodes were imported from; open_h then holds every recorded frame."""

    def execute(self) -> None:
        """Write all episodes to the new data set."""
        from ls3.data import data_export
        from ls3.runs.domains import load_domain

        if self.fps < 1:
            raise UserError(f"--fps is {self.fps}", do="give 1 or more")
        domain = load_domain(self.domain, self.config)
        facts = data_export.data_facts(domain, self.fps)
        if self.recordings:
            facts = dataclasses.replace(facts, recordings=self._opened(domain))
        count = data_export.export(self.format, self.files, facts, self.out)
        print(f"{self.out}: {count} episodes for {self.format}")

    def _opened(self, domain: Domain) -> list[Recording]:
        from ls3.data.registry import find_recordings

        options = self.options(domain)
        return [
            form.opener(options)(path)
            for given in self.recordings
            for path, form in find_recordings(given, "auto", options)
        ]


Verb = (
    Annotated[Import, tyro.conf.subcommand("import")]
    | Annotated[Inspect, tyro.conf.subcommand("inspect")]
    | Annotated[Export, tyro.conf.subcommand("export")]
)


@dataclass(kw_only=True)
class Data:
    """Import recordings, inspect a data set, or export it for another library."""

    verb: tyro.conf.OmitArgPrefixes[tyro.conf.OmitSubcommandPrefixes[Verb]]

    def execute(self) -> None:
        """Execute the chosen verb."""
        self.verb.execute()


def _show(row: ImportRow) -> None:
    if row.file or row.steps:
        end = "violation" if row.violation else "success" if row.success else "neither"
        what = f"{row.source}, {row.steps} steps, {end}, skew {row.skew_ms:.0f} ms"
        what += f"; {row.reason}" if row.reason else ""
    else:
        what = row.reason
    for reason, count in row.drops.items():
        what += f"; {count} frames dropped: {reason}"
    what += "".join(f"; {note}" for note in row.notes)
    print(f"{row.episode}: {row.verdict}: {what}", flush=True)
