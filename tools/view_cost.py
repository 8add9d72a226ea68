"""Measure what a page of view_node that somebody looks at costs the running graph.

    python tools/view_cost.py [--rounds 4] [--steps 50]

One simulated graph runs all the time. In every round its control steps are timed with and without
view_node and its page, in an order that alternates, so that both meet the same computer. The
overhead of a step is that of `ls3_system_tests.latency`: the solver's own time is not part of it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Origin

from ls3_common import transport
from ls3_common.errors import UserError
from ls3_common.processes import started
from ls3_common.shared import find_shared
from ls3_episodes.summary import percentile
from ls3_system_tests.latency import START_S, STEP_S, small_graph
from ls3_system_tests.observer import watch

WARM_UP_STEPS = 20
SETTLE_S = 3.0
"""Wait after a node has joined or left the graph, s."""


@contextmanager
def page(domain_id: int) -> Iterator[list[int]]:
    """Run view_node during the block, and look at its page.

    Yields:
        The sizes of all pictures that came, bytes.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    film = {"title": "LS3 cable routing", "width": "0.3057"}
    given = {f"film.{name}": value for name, value in film.items()}
    given |= {"port": str(port), "model": str(find_shared("models/cable_routing"))}
    words = [word for name, value in given.items() for word in ("-p", f"{name}:={value}")]
    config = str(find_shared("config/cable_routing.yaml"))
    command = [sys.executable, "-m", "ls3_episodes.view_node", "--ros-args"]
    command += ["--params-file", config, *words]
    pictures: list[int] = []

    def look() -> None:
        address = f"localhost:{port}"
        with (
            contextlib.suppress(ConnectionClosed),
            connect(f"ws://{address}/live", origin=Origin(f"http://{address}"), proxy=None) as live,
        ):
            pictures.extend(len(message) for message in live if isinstance(message, bytes))

    as_launched = {transport.VARIABLE: str(transport.PROFILES["udp"])}
    environment = {**os.environ, **as_launched, "ROS_DOMAIN_ID": str(domain_id)}
    with (
        open(os.devnull, "wb") as nowhere,
        started(command, environment=environment, errors=nowhere) as node,
    ):
        deadline = time.monotonic() + START_S
        while node.alive() and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1.0).close()
                break
            time.sleep(0.1)
        threading.Thread(target=look, daemon=True).start()
        time.sleep(SETTLE_S)
        yield pictures
    time.sleep(SETTLE_S)


def measure(rounds: int, steps: int) -> dict[str, Any]:
    """Time `steps` control steps with the page and as many without, `rounds` times.

    Raises:
        UserError: the graph ended or stalled.
    """
    domain_id = random.SystemRandom().randint(1, 101)
    found: dict[bool, list[list[float]]] = {False: [], True: []}
    pictures = 0
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as directory,
        small_graph(Path(directory), domain_id, "") as graph,
    ):
        watch(domain_id, WARM_UP_STEPS, graph.process.alive, START_S + STEP_S * WARM_UP_STEPS)
        for number in range(rounds):
            for shown in (False, True) if number % 2 == 0 else (True, False):
                with contextlib.ExitStack() as stack:
                    seen = stack.enter_context(page(domain_id)) if shown else []
                    trace = watch(domain_id, steps, graph.process.alive, 10 * STEP_S * steps)
                    pictures += len(seen)
                if len(trace.steps) < steps:
                    raise UserError(f"only {len(trace.steps)} of {steps} steps were seen")
                found[shown].append([step["overhead"] for step in trace.steps])
                print(number, shown, round(statistics.median(found[shown][-1]), 2), flush=True)
    result: dict[str, Any] = {"rounds": rounds, "steps": steps, "pictures": pictures}
    for shown, name in ((False, "without"), (True, "with")):
        pooled = [value for one in found[shown] for value in one]
        result[f"{name}_ms_median"] = round(statistics.median(pooled), 2)
        result[f"{name}_ms_p99"] = round(percentile(pooled, 99) or 0.0, 2)
    pairs = zip(found[True], found[False], strict=True)
    differences = [statistics.median(one) - statistics.median(other) for one, other in pairs]
    result["difference_of_medians_ms"] = [round(value, 2) for value in differences]
    result["load"] = round(os.getloadavg()[0], 1)
    result["minutes"] = round((time.monotonic() - began) / 60, 1)
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--steps", type=int, default=50)
    arguments = parser.parse_args()
    print(json.dumps(measure(arguments.rounds, arguments.steps), indent=1))
