"""`ls3 data`: bags to a data set, what a data set holds, and to other libraries' formats."""

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
    from ls3.data.data_import import ImportedEpisode


@dataclass(kw_only=True)
class Import:
    """Turn bags (MCAP or sqlite3) into episodes. A bag is only read; call it again to go on."""

    bags: tyro.conf.Positional[tuple[Path, ...]]
    """Directories of `ros2 bag record`, or single .mcap or .db3 files."""
    out: Path
    """Directory of the data set."""
    domain: str = "cable_routing"
    config: Path | None = None
    """The robot's configuration file, for crop, colours and limits; by default the domain's."""
    labels: Path | None = None
    """YAML file of corrections: BAG/INDEX: {discard, source, success_from, violation_from}."""
    source: Literal["auto", "demonstration", "random", "constraint", "online"] = "auto"
    """What the episodes are; auto: as the start marks say, else by how they end."""
    actions: Literal["auto", "commands", "setpoints"] = "auto"
    """From arm_command, or from differences of the setpoint; auto: commands where there are any."""
    period: float = 0.5
    """Seconds between two states, with setpoints."""
    camera: str = ""
    """Topic of the camera, where it is not camera/image_raw[/compressed]."""
    namespace: str = ""
    """Of the graph's topics, where the bag holds several."""
    arm: str = ""
    """CRTK name of the arm, where the bag holds several."""
    video: tuple[Path, ...] = ()
    """Side-cars (or their MP4 files) of the dVRK's recorder, in the place of the camera's topic."""
    eye: Literal["left", "right"] = "left"
    """Of a stereo video."""
    dry_run: bool = False
    """Only say what would be done."""

    def execute(self) -> None:
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
                "bags are imported for a domain with an arm; the joints of this one are commanded",
                where=f"domain '{self.domain}'",
            )
        if not self.period > 0:
            raise UserError(f"--period is {self.period}", do="give seconds, more than 0")
        corrections = read_corrections(self.labels) if self.labels else {}
        if not self.dry_run:
            dataset.claim(self.out, domain)
        videos, fault = self._videos()
        path = self.config or find_shared(f"config/{domain.name}.yaml")
        assert path is not None  # the domain has been loaded from it
        names = TopicNames(self.namespace, self.camera, self.arm)
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
            raise UserError("no episode could be imported", do="the table above has the reasons")

    def _videos(self) -> tuple[list[RecordedVideo], str]:
        """Those that have a side-car, and what is wrong with the others."""
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
    """Say what a data set holds, and draw a contact sheet of its frames."""

    directory: tyro.conf.Positional[Path]
    domain: str = "cable_routing"
    config: Path | None = None
    sheet: Path | None = None
    """PNG of the contact sheet; by default contact_sheet.png in the directory."""
    rows: int = 16
    """Episodes on it."""
    columns: int = 10
    """Frames of each."""

    def execute(self) -> None:
        from ls3.data import data_inspect
        from ls3.runs.domains import load_domain

        if self.rows < 1 or self.columns < 1:
            raise UserError("--rows and --columns are at least 1")
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
    """Write a data set in another library's format, for that library to read."""

    files: tyro.conf.Positional[tuple[Path, ...]]
    """Directories of episodes, or single .h5 files."""
    format: Literal["lerobot", "minari"]
    """LeRobot's v3.0, or Minari's HDF5."""
    out: Path
    """A new directory."""
    domain: str = "cable_routing"
    config: Path | None = None
    fps: int = 2
    """Steps a second for LeRobot, whose clock is regular; an arm's steps are not quite."""

    def execute(self) -> None:
        from ls3.data import data_export
        from ls3.runs.domains import load_domain

        if self.fps < 1:
            raise UserError(f"--fps is {self.fps}", do="give 1 or more")
        about = data_export.about(load_domain(self.domain, self.config), self.fps)
        count = data_export.export(self.format, self.files, about, self.out)
        print(f"{self.out}: {count} episodes for {self.format}")


Verb = (
    Annotated[Import, tyro.conf.subcommand("import")]
    | Annotated[Inspect, tyro.conf.subcommand("inspect")]
    | Annotated[Export, tyro.conf.subcommand("export")]
)


@dataclass(kw_only=True)
class Data:
    """Data sets: from bags, what they hold, and for other libraries."""

    verb: tyro.conf.OmitArgPrefixes[tyro.conf.OmitSubcommandPrefixes[Verb]]

    def execute(self) -> None:
        self.verb.execute()


def _show(row: ImportedEpisode) -> None:
    if row.file or row.steps:
        end = "violation" if row.violation else "success" if row.success else "neither"
        what = f"{row.source}, {row.steps} steps, {end}, skew {row.skew_ms:.0f} ms"
        what += f", {sum(row.drops.values())} frames dropped" if row.drops else ""
        what += f"; {row.reason}" if row.reason else ""
    else:
        what = row.reason
    print(f"{row.episode}: {row.verdict}: {what}", flush=True)
