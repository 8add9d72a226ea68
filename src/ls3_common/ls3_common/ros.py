"""What all nodes share of ROS: start and stop, stamps, and their parameters (`ros_parameters`)."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import rclpy
from builtin_interfaces.msg import Time
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from ls3_common import ending, executors, transport
from ls3_common.errors import ConfigError, UserError
from ls3_common.ros_parameters import declare, facts, given
from ls3_common.system_errors import refused_by_system


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
    except OSError as error:  # a full disk, a file of someone else
        if error.errno is None:
            raise  # a library's own error, not one of the system
        print(refused_by_system(error), file=sys.stderr, flush=True)
        code = UserError.exit_code
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
        except OSError as error:
            print(refused_by_system(error), file=sys.stderr, flush=True)
            code = code or UserError.exit_code
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


__all__ = [
    "ConfigError",
    "beside",
    "declare",
    "facts",
    "given",
    "leave",
    "nanoseconds",
    "run",
    "to_time",
]
