"""arm_node under a lifecycle manager: it does nothing before it is activated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState

NODE = "dvrk_cable_env.arm.arm_node"
INACTIVE = "the node is not active"


@pytest.fixture
def change(bench: Any) -> Callable[[int], bool]:
    """Ask for a transition; whether it was made."""
    client = bench.node.create_client(ChangeState, "/arm_node/change_state")

    def request(transition: int) -> bool:
        wanted = ChangeState.Request(transition=Transition(id=transition))
        return bench.ask(client, wanted).success

    return request


def test_without_autostart_nothing_is_sent_before_a_manager_activates(
    arm: Any,
    bench: Any,
    rig_of: Any,
    patient: dict,
    change: Callable[[int], bool],
) -> None:
    arm.become(state="DISABLED", is_homed=False, is_busy=False)
    arm.commands.clear()
    arm.moves.clear()
    holds = arm.holds
    with bench.start(NODE, autostart=False, auto_enable=True, **patient) as child:
        rig = rig_of(child)
        rig.not_ready(INACTIVE)
        assert rig.plan(0.01, 0.0).outcome == "refused"
        assert not bench.call("/arm_node/arm").success
        assert not change(Transition.TRANSITION_ACTIVATE), "it is not configured"
        assert change(Transition.TRANSITION_CONFIGURE)
        assert rig.plan(0.01, 0.0).outcome == "refused"
        assert (arm.commands, arm.moves, arm.holds) == ([], [], holds)
        assert change(Transition.TRANSITION_ACTIVATE)
        rig.ready()
        assert arm.commands == ["enable", "home"]
        rig.arm.duration = 30.0
        assert rig.plan(0.01, 0.0).outcome == "sent"
        bench.until(lambda: rig.arm.is_busy)
        assert change(Transition.TRANSITION_ACTIVE_SHUTDOWN)
        bench.until(lambda: not rig.arm.is_busy)
        rig.not_ready(INACTIVE)
