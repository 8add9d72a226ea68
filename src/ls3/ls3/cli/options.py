"""Options that several commands of `ls3` share.

`ls3 --help` and completions import this module, so a method imports what it needs only when it is
called: PyTorch alone takes seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from ls3_common.errors import UserError

if TYPE_CHECKING:
    from ls3.runs.domains import Domain


def at_least_one(count: int, option: str) -> None:
    """Refuse a count below 1.

    Raises:
        UserError: the text names the option.
    """
    if count < 1:
        raise UserError(f"{count} is too few", where=option, do="give at least 1")


@dataclass(kw_only=True)
class CommonOptions:
    """Options of every command that works on one domain."""

    domain: str = "cable_routing"
    """Name of the task. The file config/<domain>.yaml must exist, unless --config is given."""
    config: Path | None = None
    """Configuration file to read instead of config/<domain>.yaml."""
    set: Annotated[list[str], tyro.conf.UseAppendAction] = field(default_factory=list)
    """Change a parameter: SECTION.KEY=VALUE, e.g. planner_node.horizon=3. May be repeated."""
    seed: int = 0
    """Seed of all random numbers."""

    def load(self) -> Domain:
        """Read the domain with the changes of `--set`.

        Raises:
            ConfigError: as `ls3.runs.domains.load_domain`.
        """
        from ls3.runs.domains import load_domain

        return load_domain(self.domain, self.config, self.set)


@dataclass(kw_only=True)
class MethodOptions(CommonOptions):
    """Options of the commands that train or run an agent."""

    method: str = "ls3"
    """The method to use: ls3, or another name in ls3/runs/methods.py."""

    def load(self) -> Domain:
        """Read the domain with the changes of the method and of `--set`.

        Raises:
            ConfigError: as `ls3.runs.methods.load_method`.
        """
        from ls3.runs.methods import load_method

        return load_method(self.domain, self.method, self.config, self.set)


@dataclass(kw_only=True)
class DataOptions(CommonOptions):
    """Options of the commands that read or write a domain's offline data."""

    data: Path | None = None
    """Directory of the episodes; by default data/<domain>."""

    @property
    def data_directory(self) -> Path:
        """The directory of the episodes: `data`, or its default."""
        return self.data or Path("data") / self.domain
