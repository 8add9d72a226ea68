"""A listener to a running sim_node, which also drives its arm."""

from __future__ import annotations

from typing import Any

from ros_bench import Bench

from ls3_sim.kinematics import DOWN


class SimListener:
    """Hears all that sim_node says, with the newest messages last; made before sim_node starts."""

    def __init__(self, bench: Bench) -> None:
        from geometry_msgs.msg import PoseStamped
        from rosgraph_msgs.msg import Clock
        from sensor_msgs.msg import Image, JointState
        from std_msgs.msg import Empty

        from crtk_msgs.msg import OperatingState, StringStamped
        from ls3_common import qos
        from ls3_interfaces.msg import TaskState
        from ls3_interfaces.srv import ResetScene

        self.bench, self.until, self.hear = bench, bench.until, bench.collect
        self.clock = self.hear(Clock, "/clock", qos.BEST_EFFORT)
        self.images = self.hear(Image, "camera/image_raw")
        self.tasks = self.hear(TaskState, "task_state")
        self.states = self.hear(OperatingState, "PSM1/operating_state", qos.CHANGES)
        self.measured = self.hear(PoseStamped, "PSM1/measured_cp", qos.NEWEST)
        self.setpoints = self.hear(PoseStamped, "PSM1/setpoint_cp", qos.NEWEST)
        self.joints = self.hear(JointState, "PSM1/measured_js", qos.NEWEST)
        self.pose_type, self.command_type, self.reset_type = PoseStamped, StringStamped, ResetScene
        create = bench.node.create_publisher
        self.commands = create(StringStamped, "PSM1/state_command", qos.RELIABLE)
        self.moves = create(PoseStamped, "PSM1/move_cp", qos.RELIABLE)
        self.servos = create(PoseStamped, "PSM1/servo_cp", qos.RELIABLE)
        self.holds = create(Empty, "PSM1/hold", qos.RELIABLE)
        self.resets = bench.node.create_client(ResetScene, "reset_scene")

    def matched(self) -> None:
        """Wait until every endpoint has its partner."""
        self.bench.matched(self.commands, self.moves, self.servos, self.holds)
        self.until(lambda: self.resets.service_is_ready())
        self.until(lambda: self.states and self.measured and self.images)

    def now(self) -> int:
        """Simulated time (ns)."""
        stamp = self.clock[-1].clock
        return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)

    def wait(self, seconds: float) -> None:
        """Let simulated time pass."""
        end = self.now() + seconds * 1e9
        self.until(lambda: self.now() >= end)

    def reset(self, seed: int = 0) -> Any:
        return self.bench.ask(self.resets, self.reset_type.Request(seed=seed))

    def ready(self) -> None:
        """Enable and home the arm; one that is already would tell of it at some later time."""

        def done() -> bool:
            state = self.states[-1]
            moved = self.measured[-1].header.stamp.sec > 0
            return state.state == "ENABLED" and state.is_homed and not state.is_busy and moved

        if not done():
            for command in ("enable", "home"):
                self.commands.publish(self.command_type(string=command))
            self.until(done)

    def pose(self, x: float, y: float, z: float = -0.12, frame: str = "PSM1_base") -> Any:
        message = self.pose_type()
        message.header.frame_id = frame
        place, turn = message.pose.position, message.pose.orientation
        place.x, place.y, place.z = x, y, z
        turn.x, turn.y, turn.z, turn.w = DOWN
        return message

    def move(self, x: float, y: float) -> int:
        """Move there; the simulated time (ns) at which the arm was no longer busy."""
        before = len(self.states)
        self.moves.publish(self.pose(x, y))
        self.until(lambda: len(self.states) >= before + 2 and not self.states[-1].is_busy)
        stamp = self.states[-1].header.stamp
        return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)
