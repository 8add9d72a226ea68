"""`ls3 data`: imports bags, inspects data sets, and exports them to other libraries."""

from __future__ import annotations

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


@dataclass(kw_only=True)
class Import:
    """Turn bags (MCAP or sqlite3) into episodes. Bags are only read. Episodes that were imported
    before with the same settings and labels are kept.
    """

    bags: tyro.conf.Positional[tuple[Path, ...]]
    """Directories made by `ros2 bag record`, or single .mcap or .db3 files."""
    out: Path
    """Directory of the data set."""
    domain: str = "cable_routing"
    """Name of the task that the bags show."""
    config: Path | None = None
    """Configuration file of the robot, for crop, colours and limits; by default the domain's."""
    labels: Path | None = None
    """YAML file of corrections: BAG/INDEX: {discard, source, success_from, violation_from}."""
    source: Literal["auto", "demonstration", "random", "constraint", "online"] = "auto"
    """Kind of the episodes; auto: as the start marks say or, without marks, online if a planner
    commanded the arm and a demonstration otherwise. A demonstration that fails becomes random, one
    that violates becomes constraint."""
    actions: Literal["auto", "commands", "setpoints"] = "auto"
    """Source of the actions: the topic arm_command, or differences of the arm's setpoint; auto:
    arm_command if the bag holds any."""
    period: float = 0.5
    """Seconds between two states, if actions come from setpoints."""
    camera: str = ""
    """Topic of the camera, if it is not camera/image_raw[/compressed]."""
    namespace: str = ""
    """Namespace of the graph's topics, if the bag holds several."""
    arm: str = ""
    """CRTK name of the arm, if the bag holds several."""
    clutch: tuple[str, ...] = ()
    """Topics of the operator's clutch (Joy or Bool); by default all whose names end in /clutch."""
    video: tuple[Path, ...] = ()
    """Videos of the dVRK's recorder (side-car or MP4 files), to use instead of the camera's
    topic."""
    eye: Literal["left", "right"] = "left"
    """Which half of a stereo video to use."""
    dry_run: bool = False
    """Print what would be imported, and write nothing."""

    def execute(self) -> None:
        """Import the bags, print one line per episode and a total."""
        from dvrk_cable_env.bags.records import TopicNames
        from ls3.data.data_import import Importer
        from ls3.data.data_labels import read_corrections
        from ls3.data.import_rules import read_rules
        from ls3.runs import dataset
        from ls3.runs.domains import load_domain
        from ls3_common.shared import find_shared

        domain = load_domain(self.domain, self.config)
        if domain.spec.joints:
            raise UserError(
                "bags are imported for a domain with an arm, and this domain has joints only",
                where=f"domain '{self.domain}'",
                do="give another --domain",
            )
        if not self.period > 0:
            raise UserError(f"--period is {self.period}", do="give more than 0 seconds")
        corrections = read_corrections(self.labels) if self.labels else {}
        if not self.dry_run:
            dataset.claim(self.out, domain)
        videos, fault = self._videos()
        path = self.config or find_shared(f"config/{domain.name}.yaml")
        assert path is not None  # load_domain has read this file
        names = TopicNames(self.namespace, self.camera, self.arm, self.clutch)
        importer = Importer(
            self.out,
            read_rules(path, domain.spec, names=names, actions=self.actions, period=self.period),
            corrections,
            self.source,
            self.dry_run,
            _show,
            videos,
            fault,
        )
        rows = [row for path in self.bags for row in importer.run(path)]
        unused = sorted(set(corrections) - {row.episode for row in rows})
        if unused:
            print(f"{self.labels}: no such episode in these bags: {', '.join(unused)}")
        counts = Counter(row.verdict for row in rows)
        verdicts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
        print(f"{self.out}: {verdicts}{' (dry run: nothing written)' if self.dry_run else ''}")
        if not counts["imported"] + counts["present"]:
            raise UserError(
                "no episode could be imported",
                where=str(self.out),
                do="see the reasons above, one per episode",
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
        spec = load_domain(self.domain, self.config).spec
        summary = data_inspect.summarise(self.directory, spec)
        print("\n".join(summary.lines()))
        path = self.sheet or self.directory / "contact_sheet.png"
        picture = data_inspect.contact_sheet(self.directory, self.rows, self.columns, spec.channels)
        with replacing(path) as part:
            picture.save(part)
        print(f"{path} is written")


@dataclass(kw_only=True)
class Export:
    """Write a data set in the format of another library."""

    files: tyro.conf.Positional[tuple[Path, ...]]
    """Directories of episodes, or single .h5 files."""
    format: Literal["lerobot", "minari"]
    """lerobot: LeRobot v3.0; minari: Minari with HDF5 files."""
    out: Path
    """Directory to write, new or empty."""
    domain: str = "cable_routing"
    """Name of the task that the data belong to."""
    config: Path | None = None
    """Configuration file to read instead of the domain's."""
    fps: int = 2
    """Nominal number of steps per second. LeRobot wants a regular clock; an arm's steps vary a
    little."""

    def execute(self) -> None:
        """Write all episodes to the new data set."""
        from ls3.data import data_export
        from ls3.runs.domains import load_domain

        if self.fps < 1:
            raise UserError(f"--fps is {self.fps}", do="give 1 or more")
        facts = data_export.data_facts(load_domain(self.domain, self.config), self.fps)
        count = data_export.export(self.format, self.files, facts, self.out)
        print(f"{self.out}: {count} episodes for {self.format}")


Verb = (
    Annotated[Import, tyro.conf.subcommand("import")]
    | Annotated[Inspect, tyro.conf.subcommand("inspect")]
    | Annotated[Export, tyro.conf.subcommand("export")]
)


@dataclass(kw_only=True)
class Data:
    """Import bags, inspect a data set, or export it for another library."""

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
