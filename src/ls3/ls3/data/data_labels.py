"""Reads the labels file, in which a person corrects how single episodes are imported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import yaml

from ls3_common.errors import ConfigError

KEYS = "discard (true or false), source (text), success_from, violation_from (a step, or never)"


@dataclass(frozen=True)
class Correction:
    """Corrections to one episode. A field that is None corrects nothing.

    discard: whether to leave the episode out. source: kind of the episode. success_from,
    violation_from: number t >= 1 of the first step whose next state s_t is in the goal set, or
    violates a constraint; all later states count likewise. 0 means never.
    """

    discard: bool | None = None
    source: str | None = None
    success_from: int | None = None
    violation_from: int | None = None


def read_corrections(path: Path) -> Mapping[str, Correction]:
    """Read the corrections of a labels file, by ``BAG/INDEX`` as the import prints them.

    Raises:
        ConfigError: the file cannot be read, is not YAML, or has an unknown key or a bad value.
    """
    try:
        document = yaml.safe_load(path.read_text()) or {}
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"not valid YAML: {error}", where=str(path)) from None
    if not isinstance(document, dict) or not all(isinstance(v, dict) for v in document.values()):
        raise ConfigError(
            "not a mapping from episodes to corrections",
            where=str(path),
            do="write e.g. BAG/0: {discard: true}",
        )
    return {str(name): _correction(values, f"{path}, {name}") for name, values in document.items()}


def _correction(values: dict[str, object], where: str) -> Correction:
    known = {field.name for field in fields(Correction)}
    checked: dict[str, object] = {}
    for key, value in values.items():
        step = key in ("success_from", "violation_from")
        if step and value == "never":
            value = 0
        fits = (
            isinstance(value, bool)
            if key == "discard"
            else isinstance(value, int) and not isinstance(value, bool) and value >= 0
            if step
            else isinstance(value, str)
        )
        if key not in known or not fits:
            raise ConfigError(
                f"'{key}: {value}' is not a correction", where=where, do=f"keys: {KEYS}"
            )
        checked[key] = value
    return Correction(**checked)  # type: ignore[arg-type]
