"""Processes that are started, waited for and stopped in order."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Mapping

from ls3_common.errors import UserError
from ls3_common.progress import Interrupted, StopRequest


def launch(command: list[str], environment: Mapping[str, str]) -> None:
    """Run a process to its end, or stop it in order when this process is to stop.

    Raises:
        Interrupted: after SIGINT or SIGTERM; no node is left behind.
    """
    try:
        # a session of its own: Ctrl-C reaches it once, through this process
        launch = subprocess.Popen(
            command, env=environment, stdout=sys.stderr, start_new_session=True
        )
    except FileNotFoundError:
        raise UserError(
            "there is no `ros2` command", do="run this through `make results`, or source ROS 2"
        ) from None
    with StopRequest() as stop:
        while launch.poll() is None:
            if stop.requested:
                launch.send_signal(signal.SIGINT)
                launch.wait()
                raise Interrupted
            time.sleep(0.1)
