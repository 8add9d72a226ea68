"""`ls3 config`: every parameter, with its meaning and where its value comes from."""

from __future__ import annotations

import difflib
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from ls3_common.errors import ConfigError

if TYPE_CHECKING:
    from ls3.runs.configuration import Setting


@dataclass(kw_only=True)
class Configuration:
    """Show the parameters of a domain: value, meaning, range, default, and what sets the value."""

    verb: Annotated[Literal["show"], tyro.conf.Positional, tyro.conf.arg(metavar="show")]
    """What to do."""
    key: Annotated[str, tyro.conf.Positional] = ""
    """SECTION.KEY, a section, or any part of a name, such as delta; by default everything."""
    domain: str = "cable_routing"
    """Name of the task."""
    config: Path | None = None
    """Configuration file to read instead of config/<domain>.yaml."""
    set: Annotated[list[str], tyro.conf.UseAppendAction] = field(default_factory=list)
    """Change a parameter: SECTION.KEY=VALUE. May be repeated."""

    def execute(self) -> None:
        """Print a line for each parameter, or all about the one that `key` names in full.

        Raises:
            ConfigError: as `read_settings`, or no parameter has such a name.
        """
        from ls3.runs.configuration import read_settings

        section = self.key.partition(".")[0]
        settings, missing = read_settings(self.domain, self.config, self.set, section)
        chosen = _matching(settings, self.key)
        if len(chosen) == 1:
            print(_in_full(chosen[0]))
        else:
            for setting in chosen:
                print(_line(setting))
        if missing and not self.key:
            print(
                f"ls3: left out, as their parameters need ROS: {', '.join(missing)}\n"
                "  -> source tools/env.sh, or see docs/configuration.md",
                file=sys.stderr,
            )


def _matching(settings: list[Setting], key: str) -> list[Setting]:
    """Return the parameter of this name, or those of this section, or those whose names hold it.

    Raises:
        ConfigError: there is none; the text names the closest.
    """
    for chosen in (
        [s for s in settings if s.key == key],
        [s for s in settings if s.section == key],
        [s for s in settings if key in s.key],
    ):
        if chosen:
            return chosen
    names = {s.leaf.name.rpartition(".")[2]: s.key for s in settings} | {
        s.key: s.key for s in settings
    }
    close = difflib.get_close_matches(key, names, n=1)
    sections = ", ".join(dict.fromkeys(s.section for s in settings))
    raise ConfigError(
        f"no parameter '{key}'",
        do=f"did you mean '{names[close[0]]}'?" if close else f"sections: {sections}",
    )


def _line(setting: Setting) -> str:
    from ls3.runs.configuration import in_words, range_in_words

    leaf, default = setting.leaf, in_words(setting.leaf.default)
    parts = [leaf.description, range_in_words(leaf)]
    if setting.source != "default":
        parts += [f"default {default}" if default else "no default", _source(setting)]
    return f"{setting.key}: {in_words(setting.value)}  # {'; '.join(parts)}"


def _in_full(setting: Setting) -> str:
    from ls3.runs.configuration import in_words, range_in_words

    leaf = setting.leaf
    rows = {
        "range": range_in_words(leaf),
        "default": in_words(leaf.default) or "none",
        "set by": _source(setting),
        "change": _remedy(setting),
    }
    lines = [f"{setting.key}: {in_words(setting.value)}", f"  {leaf.description}"]
    return "\n".join([*lines, *(f"  {name:8} {text}" for name, text in rows.items())])


def _remedy(setting: Setting) -> str:
    """Return what changes a value: the option of a command, the argument of a launch, or both."""
    from ls3.runs.configuration import COMMANDS, FACTS
    from ls3_common.domain import ENVIRONMENT

    leaf = setting.leaf
    given_by_fact = leaf.domain and not leaf.may_be_less
    key = f"{FACTS}.{leaf.domain}" if given_by_fact else setting.key
    launch = f"set:={key}=VALUE in a launch"
    read_by_commands = key.partition(".")[0] in (FACTS, ENVIRONMENT, *COMMANDS)
    return f"--set {key}=VALUE, {launch}" if read_by_commands else launch


def _source(setting: Setting) -> str:
    """Return what sets a value, a file by its path from here if the file lies below."""
    path = os.path.relpath(setting.source) if os.path.isabs(setting.source) else setting.source
    return setting.source if path.startswith("..") else path
