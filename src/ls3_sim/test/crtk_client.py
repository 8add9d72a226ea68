"""The endpoints of the dVRK's Python client with their QoS, through rclpy alone."""

from __future__ import annotations

import numpy as np
from geometry_msgs.msg import PoseStamped, TwistStamped, WrenchStamped
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, Empty, Float64, Float64MultiArray

from crtk_msgs.msg import OperatingState, StringStamped
from crtk_msgs.srv import QueryForwardKinematics, QueryInverseKinematics
from ls3_common import qos

LATCHED = (
    "state_command",
    "body/set_cf_orientation_absolute",
    "use_gravity_compensation",
    "trajectory_j/set_ratio",
    "emulate_tool_present",
)
SAID = {
    "state_command": StringStamped,
    "hold": Empty,
    "free": Empty,
    "move_cp": PoseStamped,
    "servo_cp": PoseStamped,
    "body/servo_cf": WrenchStamped,
    "spatial/servo_cf": WrenchStamped,
    "trajectory_j/set_ratio": Float64,
    "body/set_cf_orientation_absolute": Bool,
    "use_gravity_compensation": Bool,
    "emulate_tool_present": Bool,
    "servo_jp": JointState,
    "servo_jr": JointState,
    "servo_jf": JointState,
    "move_jp": JointState,
    "move_jr": JointState,
    "jaw/servo_jp": JointState,
    "jaw/move_jp": JointState,
    "jaw/servo_jf": JointState,
}
HEARD = {
    "operating_state": OperatingState,
    "measured_js": JointState,
    "setpoint_js": JointState,
    "jaw/measured_js": JointState,
    "jaw/setpoint_js": JointState,
    "measured_cp": PoseStamped,
    "setpoint_cp": PoseStamped,
    "local/measured_cp": PoseStamped,
    "local/setpoint_cp": PoseStamped,
    "measured_cv": TwistStamped,
    "body/measured_cf": WrenchStamped,
    "spatial/measured_cf": WrenchStamped,
    "body/jacobian": Float64MultiArray,
    "spatial/jacobian": Float64MultiArray,
    "trajectory_j/ratio": Float64,
}
EVENTS = ("operating_state", "trajectory_j/ratio")  # heard volatile: nothing until the next
FIELD = {StringStamped: "string", Float64: "data", Bool: "data"}
START = (-0.09, 0.005)


def nanoseconds(message):
    """The stamp of a message."""
    return message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec


class CrtkClient:
    """What `dvrk.psm` opens, on the node of the listener's bench."""

    def __init__(self, listener):
        self.sim, node = listener, listener.bench.node
        self.said = {}
        for name, kind in SAID.items():
            profile = qos.CHANGES if name in LATCHED else qos.RELIABLE
            self.said[name] = node.create_publisher(kind, f"/PSM1/{name}", profile)
        self.heard = {name: listener.hear(kind, f"/PSM1/{name}") for name, kind in HEARD.items()}
        self.services = {
            name: node.create_client(kind, f"/PSM1/{name}")
            for name, kind in (
                ("forward_kinematics", QueryForwardKinematics),
                ("local/forward_kinematics", QueryForwardKinematics),
                ("inverse_kinematics", QueryInverseKinematics),
            )
        }

    def matched(self):
        """Wait until every endpoint has its partner."""
        self.sim.bench.matched(*self.said.values())
        count = self.sim.bench.node.count_publishers
        self.sim.until(lambda: all(count(f"/PSM1/{name}") for name in HEARD))
        self.sim.until(lambda: all(s.service_is_ready() for s in self.services.values()))

    @property
    def states(self):
        return [(s.state, s.is_homed, s.is_busy) for s in self.heard["operating_state"]]

    def say(self, name, value=None):
        kind = SAID[name]
        if kind is JointState:
            message = JointState(position=list(map(float, value)))
        elif kind is PoseStamped:
            message = value
        else:
            message = kind() if value is None else kind(**{FIELD[kind]: value})
        self.said[name].publish(message)

    def command(self, name):
        """A state command, and its answer."""
        before = len(self.states)
        self.say("state_command", name)
        return self.sim.until(lambda: self.states[before:])

    def do(self, name, value):
        """Start a move and wait for its end; the states that told of it."""
        before = len(self.states)
        self.say(name, value)
        self.sim.until(lambda: len(self.states) >= before + 2 and not self.states[-1][2])
        return self.states[before:]

    def now(self, name):
        """A stream's message from now on, not one on its way."""
        begin = max([self.sim.now(), *map(nanoseconds, self.heard["operating_state"][-1:])])
        if HEARD[name] is Float64MultiArray:
            self.heard[name].clear()
            self.sim.until(lambda: len(self.heard[name]) > 2)
        else:
            self.sim.until(lambda: self.heard[name] and nanoseconds(self.heard[name][-1]) > begin)
        return self.heard[name][-1]

    def joints(self, name="measured_js"):
        return np.array(self.now(name).position)

    def reaches(self, name, expected):
        """Wait until a stream of joints tells of these positions."""
        self.sim.until(
            lambda: np.allclose(self.heard[name][-1].position, expected, rtol=0, atol=1e-9)
        )

    def call(self, name, request):
        return self.sim.bench.ask(self.services[name], request)
