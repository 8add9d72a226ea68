"""A configuration class as the parameters of a node."""

from __future__ import annotations

import array
import sys
import typing
from typing import Any, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node
from rclpy.parameter import Parameter

from ls3_common import parameters
from ls3_common.domain import DomainSpec, taken
from ls3_common.parameter_files import DOMAIN, of_middleware

Config = TypeVar("Config")

_ROS_TYPES = {
    bool: Parameter.Type.BOOL,
    int: Parameter.Type.INTEGER,
    float: Parameter.Type.DOUBLE,
    str: Parameter.Type.STRING,
}
_ROS_ARRAYS = {
    int: Parameter.Type.INTEGER_ARRAY,
    float: Parameter.Type.DOUBLE_ARRAY,
    str: Parameter.Type.STRING_ARRAY,
}


def declare(node: Node, cls: type[Config]) -> Config:
    """Declare every field of a configuration class as a read-only ROS parameter, and read them.

    Raises:
        ConfigError: as `parameters.build`. An override that the class does not have is refused as
            well, while rclpy would ignore it. Only facts of the domain, which every node receives,
            and parameters of ROS itself may be unknown to the class.
    """
    values: dict[str, Any] = {}
    known = {leaf.name: leaf for leaf in parameters.leaves(cls)}
    given = node._parameter_overrides  # rclpy has no public view of undeclared overrides
    _take_facts(given, cls, node.get_fully_qualified_name())
    for name, leaf in known.items():
        kind = _ros_type(leaf.type)
        default = list(leaf.default) if isinstance(leaf.default, tuple) else leaf.default
        if name in given:
            value = _plain(given[name].value)
            if leaf.type is float and isinstance(value, int) and not isinstance(value, bool):
                value = float(value)  # YAML writes 1 for 1.0
            values[name] = parameters.check(leaf, value, node.get_fully_qualified_name())
            default = list(values[name]) if isinstance(values[name], tuple) else values[name]
        elif leaf.default is parameters.REQUIRED:
            continue  # build() below reports the missing key
        parameter = Parameter(name, kind, default)
        given[name] = parameter  # the file may have had another type, such as 1 for 1.0
        node.declare_parameter(name, default, _descriptor(leaf))
    holds_domain = any(name.startswith(DOMAIN) for name in known)  # then unknown facts are errors
    extra = {
        name: None
        for name in given
        # rclpy may have declared some that this version of ours does not know
        if not (name in known or of_middleware(name) or node.has_parameter(name))
        and (holds_domain or not name.startswith(DOMAIN))
    }
    return parameters.build(cls, {**values, **extra}, node.get_fully_qualified_name())


def given(node: Node, prefix: str) -> dict[str, Any]:
    """Return the values that files and arguments set below `prefix`, by the rest of their names."""
    overrides = node._parameter_overrides
    return {
        name.removeprefix(prefix): _plain(parameter.value)
        for name, parameter in overrides.items()
        if name.startswith(prefix)
    }


def facts(node: Node) -> DomainSpec | None:
    """Return the facts of the domain that a node's parameter file states; None if it states none.

    Raises:
        ConfigError: a fact is missing, unknown or out of range.
    """
    return _facts(node._parameter_overrides, node.get_fully_qualified_name())


def _facts(given: dict[str, Parameter], where: str) -> DomainSpec | None:
    found = {
        name.removeprefix(DOMAIN): _plain(parameter.value)
        for name, parameter in given.items()
        if name.startswith(DOMAIN)
    }
    return parameters.build(DomainSpec, found, f"{where}, domain") if found else None


def _take_facts(given: dict[str, Parameter], cls: type, where: str) -> None:
    """Add the facts of the domain that `cls` takes to a node's overrides."""
    takes = any(leaf.domain for leaf in parameters.leaves(cls))
    spec = _facts(given, where) if takes else None
    if spec is not None:
        own = {name: _plain(parameter.value) for name, parameter in given.items()}
        for name, value in taken(cls, own, spec, where).items():
            given[name] = Parameter(name, value=value)


def _plain(value: Any) -> Any:
    """Return a ROS parameter's value, with lists for arrays."""
    if value is None:
        return []  # rcl turns an empty list into no value
    return value.tolist() if isinstance(value, array.array) else value


def _ros_type(kind: Any) -> Parameter.Type:
    if typing.get_origin(kind) is tuple:
        return _ROS_ARRAYS[typing.get_args(kind)[0]]
    return _ROS_TYPES[kind]


def _descriptor(leaf: parameters.Leaf) -> ParameterDescriptor:
    descriptor = ParameterDescriptor(description=leaf.description, read_only=True)
    if leaf.choices:
        descriptor.additional_constraints = "one of: " + ", ".join(map(str, leaf.choices))
    if leaf.low is None and leaf.high is None:
        return descriptor
    if leaf.type is float:
        big = sys.float_info.max
        descriptor.floating_point_range = [
            FloatingPointRange(
                from_value=-big if leaf.low is None else float(leaf.low),
                to_value=big if leaf.high is None else float(leaf.high),
            )
        ]
    elif leaf.type is int:
        descriptor.integer_range = [
            IntegerRange(
                from_value=-(2**63) if leaf.low is None else int(leaf.low),
                to_value=2**63 - 1 if leaf.high is None else int(leaf.high),
            )
        ]
    return descriptor
