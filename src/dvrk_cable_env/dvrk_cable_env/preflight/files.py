"""What `preflight` reads from disk: a model's manifest and the nodes' parameter file. No ROS."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dvrk_cable_env.preflight.findings import Model
from ls3_common.domain import DomainSpec, taken
from ls3_common.errors import DataError
from ls3_common.files import read_bytes
from ls3_common.model_facts import WEIGHTS, read_model_facts
from ls3_common.parameter_files import read_facts, read_node
from ls3_common.parameters import build, to_dict

SIM_TIME = "use_sim_time"
"""A parameter that every node has but no configuration class contains."""


def read_model(path: str | Path) -> Model:
    """Read a model's manifest and the hash of its weights; the networks are not loaded.

    Args:
        path: directory of the model.

    Raises:
        DataError: a file is missing or damaged.
    """
    facts = read_model_facts(path)
    weights = hashlib.sha256(read_bytes(Path(path) / WEIGHTS)).hexdigest()[:12]
    sizes = facts.observation_shape, facts.action_low, facts.action_high
    return Model(str(path), weights, facts.domain, *sizes, facts.saw_violation, facts.saw_goal)


def model_or_fault(path: str | Path) -> Model | str:
    """Return `read_model(path)`, or the text of its error."""
    try:
        return read_model(path)
    except DataError as error:
        return str(error)


def parameter_files(args: Sequence[str]) -> list[str]:
    """Return the files that a command line gives with ``--params-file``, in their order."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--params-file", action="append", default=[])
    return list(parser.parse_known_args(args)[0].params_file)


def node_parameters(files: Sequence[str], name: str, kind: type) -> dict[str, Any]:
    """Return the parameters that the files give to one node, by dotted name.

    Parameters that are facts of the domain are included.

    Args:
        files: ROS parameter files; a later file overrides an earlier one.
        name: name of the node.
        kind: configuration class by which the values are checked.

    Raises:
        ConfigError: a file cannot be read, or a key or value is not valid.
    """
    given: dict[str, Any] = {}
    facts: dict[str, Any] = {}
    where = " and ".join(files)
    for file in files:
        facts |= read_facts(file)
        given |= read_node(file, name)
    if facts:
        given |= taken(kind, given, build(DomainSpec, facts, f"{where}, domain"), where)
    checked = to_dict(build(kind, given, where)) if given else {}
    return {key: checked[key] for key in given}


def differences(given: Mapping[str, Any], running: Mapping[str, Any]) -> tuple[str, ...]:
    """Describe each parameter whose running value differs from the file's, by dotted name."""
    return tuple(
        f"{key} is {running.get(key)}, the file says {value}"
        for key, value in given.items()
        if running.get(key) != value
    )
