"""An unmodified dvrk.psm through all that a user of the arm does; prints what it saw as JSON.

A process of its own: the client keeps to rclpy's default context. Run with the client on
PYTHONPATH and a sim_node on the same domain.
"""

from __future__ import annotations

import json
import sys
import time

import crtk
import dvrk
import numpy as np
import PyKDL
import rclpy
from rclpy.signals import SignalHandlerOptions

START = (-0.09, 0.005, -0.12)
MOVES = 20


def see(arm):
    seen = {}
    arm.check_connections(20.0)
    seen["enabled"] = arm.enable(10)
    seen["homed"] = arm.home(10)
    arm.measured_cp(wait_timeout=5.0)
    settle(arm)
    pose, seen["stamp"] = arm.measured_cp()
    seen["start"] = list(pose.p)
    seen["moves"] = [move(arm, pose.M, (-0.08, 0.02 + 0.001 * k, -0.12)) for k in range(MOVES)]
    settle(arm)
    seen["moved"] = list(arm.setpoint_cp()[0].p)

    goal = arm.setpoint_jp()[0] + np.array([0.05, 0.0, 0.0, 0.0, 0.0, 0.3])
    seen["move_jp"] = arm.move_jp(goal).wait()
    settle(arm)
    seen["move_jp gap"] = float(np.abs(arm.setpoint_jp()[0] - goal).max())
    fk, seen["fk result"], _ = arm.forward_kinematics(goal, extra=True)
    seen["fk gap"] = (fk.p - arm.setpoint_cp()[0].p).Norm()
    ik = arm.inverse_kinematics(goal, fk)
    seen["ik gap"] = float(np.abs(ik - goal).max())
    seen["jacobian"] = arm.body.jacobian()[0].shape

    for name, handle in (("open", arm.jaw.open), ("close", arm.jaw.close)):
        done = handle().wait()
        settle(arm)
        seen[name] = [done, *arm.jaw.setpoint_jp()[0]]

    arm.servo_cp(PyKDL.Frame(pose.M, PyKDL.Vector(-0.08, 0.03, -0.12)))
    handle = arm.move_cp(PyKDL.Frame(pose.M, PyKDL.Vector(-0.08, 0.12, -0.12)))
    seen["busy"] = handle.wait(is_busy=True)
    arm.hold()
    seen["held"] = handle.wait()
    settle(arm)
    seen["held at"] = list(arm.setpoint_cp()[0].p)

    arm.state_command("pause")
    seen["paused"] = arm.wait_for_operating_state("PAUSED", 5)
    seen["moved while paused"] = arm.move_cp(pose).wait(timeout=1.0)
    arm.state_command("resume")
    seen["resumed"] = arm.wait_for_operating_state("ENABLED", 5)
    seen["move after"] = move(arm, pose.M, START)

    arm.servo_cp(PyKDL.Frame(pose.M, PyKDL.Vector(0.09, 0.1, -0.12)))
    seen["fault"] = arm.wait_for_operating_state("FAULT", 5)
    seen["enabled after"] = arm.enable(10)
    arm.state_command("disable")
    seen["disabled"] = arm.wait_for_operating_state("DISABLED", 5)
    return seen


def settle(arm):
    """Wait until the streams are newer than the last event."""
    last = arm.operating_state(extra=True)[1]
    while min(arm.setpoint_cp()[1], arm.setpoint_js()[3], arm.jaw.setpoint_js()[3]) <= last:
        time.sleep(0.01)


def move(arm, turn, position):
    return arm.move_cp(PyKDL.Frame(turn, PyKDL.Vector(*position))).wait()


def main():
    # as the client's own parse_argv does, but for the signals
    rclpy.init(
        args=["--ros-args", "-p", "use_sim_time:=true"],
        signal_handler_options=SignalHandlerOptions.NO,
    )
    ral = crtk.ral("dvrk_client")
    arm = dvrk.psm(ral, "PSM1")
    ral.spin()
    try:
        json.dump(see(arm), sys.stdout)
    finally:
        ral.shutdown()


if __name__ == "__main__":
    main()
