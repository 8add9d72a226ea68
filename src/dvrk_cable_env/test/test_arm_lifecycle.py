"""arm_node as a managed node: attacked while inactive, and deactivated in a motion."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from lifecycle_msgs.msg import State, Transition, TransitionEvent
from lifecycle_msgs.srv import ChangeState, GetAvailableStates, GetAvailableTransitions, GetState

INACTIVE = "the node is not active"


@pytest.fixture
def ask(bench: Any) -> Callable[..., Any]:
    """Call a service of arm_node."""
    clients: dict[str, Any] = {}

    def call(kind: type, name: str, request: Any = None) -> Any:
        client = clients.get(name) or bench.node.create_client(kind, f"/arm_node/{name}")
        clients[name] = client
        return bench.ask(client, request or kind.Request())

    return call


@pytest.fixture
def change(ask: Callable[..., Any]) -> Callable[[int], bool]:
    """Ask for a transition; whether it was made."""

    def request(transition: int) -> bool:
        wanted = ChangeState.Request(transition=Transition(id=transition))
        return ask(ChangeState, "change_state", wanted).success

    return request


@pytest.fixture
def activated(rig: Any, ask: Callable[..., Any], change: Callable[[int], bool]) -> Any:
    """The shared arm_node, which is left active and armed."""
    yield rig
    if ask(GetState, "get_state").current_state.id != State.PRIMARY_STATE_ACTIVE:
        assert change(Transition.TRANSITION_ACTIVATE)
    rig.rearm()


def test_it_brings_itself_up_and_has_the_interface_of_a_managed_node(
    activated: Any, ask: Callable[..., Any], change: Callable[[int], bool]
) -> None:
    assert ask(GetState, "get_state").current_state.label == "active"
    states = ask(GetAvailableStates, "get_available_states").available_states
    assert {"unconfigured", "inactive", "active", "finalized"} <= {s.label for s in states}
    found = ask(GetAvailableTransitions, "get_available_transitions").available_transitions
    assert {t.transition.label for t in found} == {"deactivate", "shutdown"}
    events = activated.bench.collect(TransitionEvent, "/arm_node/transition_event")
    topic = "/arm_node/transition_event"
    activated.bench.until(lambda: activated.bench.node.count_publishers(topic) == 1)
    activated.bench.until(lambda: change(Transition.TRANSITION_DEACTIVATE) and events)
    activated.bench.until(lambda: events[-1].goal_state.label == "inactive")
    assert not change(Transition.TRANSITION_DEACTIVATE), "it is inactive already"


def test_deactivated_in_a_motion_it_stops_and_nothing_moves_it_before_an_operator_arms(
    activated: Any, change: Callable[[int], bool]
) -> None:
    rig = activated
    rig.arm.duration = 30.0
    assert rig.plan(0.01, 0.0).outcome == "sent"
    rig.bench.until(lambda: rig.arm.is_busy)
    holds = rig.arm.holds
    assert change(Transition.TRANSITION_DEACTIVATE)
    rig.bench.until(lambda: rig.arm.holds > holds and not rig.arm.is_busy)
    rig.not_ready(INACTIVE)
    rig.arm.moves.clear()
    rig.arm.commands.clear()
    holds = rig.arm.holds
    for step in range(20):
        command = rig.plan(0.01, 0.005 * (-1) ** step)
        assert command.outcome == "refused" and INACTIVE in command.reason
    for service in ("arm", "home"):
        answer = rig.bench.call(f"/arm_node/{service}")
        assert not answer.success and INACTIVE in answer.message
    assert rig.bench.call("/arm_node/reset").success
    assert INACTIVE in rig.plan(0.01, 0.0).reason, "a reset is no way round"
    assert (rig.arm.moves, rig.arm.commands, rig.arm.holds) == ([], [], holds)

    assert change(Transition.TRANSITION_ACTIVATE)
    rig.not_ready("not armed")
    assert rig.plan(0.01, 0.0).outcome == "refused" and rig.arm.moves == []
    rig.arm.duration = 0.05
    rig.arm_it()
    assert rig.plan(0.01, 0.0).outcome == "sent"
    rig.ready()


def test_activated_again_it_needs_an_operator_who_arms(
    activated: Any, change: Callable[[int], bool]
) -> None:
    assert change(Transition.TRANSITION_DEACTIVATE)
    assert change(Transition.TRANSITION_ACTIVATE)
    activated.not_ready("deactivated")
    assert activated.plan(0.01, 0.0).outcome == "refused" and activated.arm.moves == []
