"""An arm without a robot and its controller, with a clock that a test winds."""

from __future__ import annotations

import dataclasses
from typing import Any

from dvrk_cable_env.arm.arm import ArmConfig, Status
from dvrk_cable_env.arm.controller import ArmController
from dvrk_cable_env.arm.guards import Guard
from dvrk_cable_env.arm.limits import ArmState, Decision, Request
from dvrk_cable_env.arm.pose import Pose

MS = 1_000_000
SECOND = 1_000 * MS
HOME = (0.0, 0.0, -0.1)


class FakeArm:
    """An arm whose state a test writes and whose commands it reads."""

    def __init__(self) -> None:
        self.now = SECOND
        self.known = ArmState("ENABLED", True, False, self.now, "", HOME, HOME)
        self.listening = True
        self.sent: list[object] = []
        self.goals: list[Pose] = []
        self.sends: tuple[float, ...] | None = None  # instead of what it is asked for

    def state(self) -> ArmState:
        return self.known

    def command(self, name: str) -> bool:
        if self.listening:
            self.sent.append(name)
        return self.listening

    def move(self, goal: Pose) -> tuple[float, ...]:
        self.goals.append(goal)
        self.sent.append(goal.position[:2])
        return goal.position[:2] if self.sends is None else self.sends

    def received(self) -> bool:
        return True

    def hold(self) -> None:
        self.sent.append("hold")

    def freeze(self) -> bool:
        self.sent.append("freeze")
        return True

    def set(self, **fields: object) -> None:
        self.known = dataclasses.replace(self.known, **fields)  # type: ignore[arg-type]

    def at(self, x: float, y: float) -> None:
        self.set(setpoint=(x, y, -0.1), measured=(x, y, -0.1))


class Rig:
    """An arm, its controller with the guards given, and a clock."""

    def __init__(self, *guards: Guard, **config: object) -> None:
        self.arm = FakeArm()
        self.controller = ArmController(self.arm, ArmConfig(**config), guards)  # type: ignore[arg-type]
        self.now = SECOND
        if not config.get("auto_enable"):
            self.controller.update(self.now)
            self.controller.rearm()

    def tick(self, milliseconds: int = 10, stale: bool = False, **fields: object) -> Status:
        self.now += milliseconds * MS
        self.arm.set(**({} if stale else {"stamp": self.now}), **fields)
        return self.controller.update(self.now)

    def plan(self, dx: float = 0.01, dy: float = 0.0, age_ms: int = 0, **more: Any) -> Decision:
        request = Request((dx, dy), self.now - age_ms * MS, **more)
        return self.controller.execute(request, self.now)

    def finish(self, x: float, y: float) -> Status:
        """The arm reports a whole motion to (x, y)."""
        self.tick(is_busy=True)
        self.arm.at(x, y)
        return self.tick(200, is_busy=False)
