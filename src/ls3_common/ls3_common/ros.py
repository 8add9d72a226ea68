"""What all nodes share of ROS: parameters from dataclasses, start and stop, stamps."""

from __future__ import annotations

import array
import ctypes
import gc
import os
import signal
import sys
import threading
import typing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import rclpy
from builtin_interfaces.msg import Time
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions

from ls3_common import ending, executors, parameters, transport
from ls3_common.domain import DomainSpec, taken
from ls3_common.errors import ConfigError, UserError
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


def _take_facts(given: dict[str, Parameter], cls: type, where: str) -> None:
    """Add the facts of the domain that `cls` takes to a node's overrides."""
    facts = {
        name.removeprefix(DOMAIN): _plain(parameter.value)
        for name, parameter in given.items()
        if name.startswith(DOMAIN)
    }
    if facts and any(leaf.domain for leaf in parameters.leaves(cls)):
        spec = parameters.build(DomainSpec, facts, f"{where}, domain")
        own = {name: _plain(parameter.value) for name, parameter in given.items()}
        for name, value in taken(cls, own, spec, where).items():
            given[name] = Parameter(name, value=value)


def _plain(value: Any) -> Any:
    """Return a ROS parameter's value, with lists for arrays."""
    if value is None:
        return []  # rcl turns an empty list into no value
    return value.tolist() if isinstance(value, array.array) else value


def run(factory: Callable[[], Node], args: list[str] | None = None) -> int:
    """Run one node until a signal ends it, and return the exit code of the process.

    Every signal counts that would end the process, such as SIGINT, SIGTERM, and SIGHUP of a
    terminal that is closed. If the node has a `close()`, that runs while the ROS context still
    works, so that the node can command an arm to hold. rclpy's own signal handlers would have shut
    the context down before. After `close()` the process has `ending.DEADLINE_S` to end, also after
    this function has returned; then SIGALRM ends the process.

    Args:
        factory: makes the node. A UserError from it is printed without a traceback.
        args: the process's arguments for ROS; by default those of the command line.
    """
    stop: list[int] = []
    endings = [int(signal.SIGINT), int(signal.SIGTERM)]
    _die_with_launch()
    transport.configure()
    try:
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:  # an unreadable parameter file, or unknown --ros-args
        name = Path(sys.argv[0]).name
        print(f"{name}: ROS refuses the arguments: {error}", file=sys.stderr, flush=True)
        return UserError.exit_code
    node: Node | None = None
    executor = executors.make()
    code = 0
    try:
        # until the node exists there is nothing to close: a signal ends the process at once
        for number in endings:
            signal.signal(number, signal.SIG_DFL)
        node = factory()
        endings = ending.ending_signals()
        for number in endings:
            signal.signal(number, lambda received, _frame: stop.append(received))
        gc.freeze()  # a collection that looks through all of PyTorch would take 100 ms
        executor.add_node(node)
        while not stop and rclpy.ok():
            executor.spin_once(timeout_sec=0.1)
    except UserError as error:
        print(error, file=sys.stderr, flush=True)
        code = error.exit_code
    except RuntimeError as error:  # rclpy's own class has no public name
        if node is not None or os.environ.get("ROS_SECURITY_ENABLE") != "true":
            raise
        refused = UserError(
            f"the middleware refuses to start securely: {error}",
            where=Path(sys.argv[0]).name,
            do="see docs/security.md",
        )
        print(refused, file=sys.stderr, flush=True)
        code = refused.exit_code
    except ExternalShutdownException:
        pass
    except SystemExit as exit_request:
        code = exit_request.code if isinstance(exit_request.code, int) else 1
    finally:
        # a launch sends the signal a second time, which must not interrupt the closing
        for number in endings:
            signal.signal(number, signal.SIG_IGN)
        try:
            close = getattr(node, "close", None)
            if close is not None:
                close()
        finally:
            ending.end_within(ending.DEADLINE_S)
        if node is not None:
            executor.remove_node(node)
            node.destroy_node()
        executor.shutdown()
        rclpy.try_shutdown()
    return code


@contextmanager
def beside(factory: Callable[[], Node], args: list[str] | None = None) -> Iterator[Node]:
    """Run a node during the block, its callbacks in a thread of their own.

    The caller's signal handlers stay as they are.

    Args:
        factory: makes the node.
        args: arguments for ROS; by default those of the command line.
    """
    _die_with_launch()
    transport.configure()
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    executor = executors.make()
    node: Node | None = None
    leaving = threading.Event()

    def spin() -> None:
        while not leaving.is_set():
            executor.spin_once(timeout_sec=0.1)

    thread = threading.Thread(target=spin, name="ros", daemon=True)
    try:
        node = factory()
        executor.add_node(node)
        thread.start()
        yield node
    finally:
        leaving.set()
        if thread.ident is not None:
            thread.join(2.0)
        with ending.deadline(ending.DEADLINE_S):
            if node is not None:
                executor.remove_node(node)
                node.destroy_node()
            executor.shutdown()
            rclpy.try_shutdown()


def leave(code: int) -> NoReturn:
    """End the process at once with exit code `code`, after `run` has returned.

    A regular exit would spend seconds on taking PyTorch down. Threads that still compute are not
    awaited.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _die_with_launch() -> None:
    """Have Linux end this process with the launch whose process id is in LS3_LAUNCH_PID.

    `ros2 launch` leaves its nodes running when SIGTERM or SIGKILL ends the launch.
    """
    launch = os.environ.get("LS3_LAUNCH_PID")
    if launch:
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)
        try:
            state = Path(f"/proc/{launch}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            state = "X"
        if state in "ZX":  # the launch ended before prctl was called
            os._exit(128 + signal.SIGTERM)


def nanoseconds(time: Time) -> int:
    """Return a stamp as one number (ns)."""
    return int(time.sec) * 1_000_000_000 + int(time.nanosec)


def to_time(nanoseconds_: int) -> Time:
    """Return a number of nanoseconds as a stamp."""
    seconds, rest = divmod(nanoseconds_, 1_000_000_000)
    return Time(sec=seconds, nanosec=rest)


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


__all__ = [
    "ConfigError",
    "beside",
    "declare",
    "leave",
    "nanoseconds",
    "run",
    "to_time",
]
