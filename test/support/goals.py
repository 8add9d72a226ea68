"""Requests for an episode."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def answered(client: Any, goal: Any, until: Callable[..., Any]) -> Any:
    """Handle of a goal that was accepted or refused.

    An answer to a client whom the server has only just met may be lost. The episode then runs
    without a client, and until it ends the server refuses another.
    """
    lost, deadline = False, time.monotonic() + 100
    while time.monotonic() < deadline:
        sent = client.send_goal_async(goal)
        try:
            until(sent.done, 10)
        except AssertionError:
            lost = True
            continue
        if sent.result().accepted or not lost:
            return sent.result()
        time.sleep(0.5)
    raise AssertionError("waited in vain for an answer")
