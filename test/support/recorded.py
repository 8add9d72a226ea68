"""Bags with episodes of the simulation, made without a graph; tests spoil them in many ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import gymnasium
import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from ls3.learning import environment
from ls3_common.domain import load_spec
from ls3_models.episodes import Episode
from ls3_sim.registration import make_environment

ROOT = Path(__file__).parents[2] / "src"
IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
MS = 10**6
STEP_MS = 450
"""From one state's frame to the next."""
START = 1_700_000_000 * 10**9
"""Recorder's clock at the first message (ns); the robot's clock begins at 1 s."""


def types() -> Any:
    """Those of ROS and those of this repository."""
    store = get_typestore(Stores.ROS2_KILTED)
    for package in ("ls3_interfaces", "crtk_msgs"):
        for path in (ROOT / package / "msg").glob("*.msg"):
            store.register(get_types_from_msg(path.read_text(), f"{package}/msg/{path.stem}"))
    return store


TYPES = types()


def make(kind: str, **fields: Any) -> Any:
    """A message; fields that are not given are zero or empty."""
    cls = TYPES.types[kind]
    values = {}
    for name, (node, detail) in TYPES.fielddefs[kind][1]:
        if name in fields:
            values[name] = fields[name]
        elif int(node) == 1:  # a basic type
            values[name] = "" if detail[0] == "string" else False if detail[0] == "bool" else 0
        elif int(node) == 2:
            values[name] = make(detail)
        else:
            values[name] = np.zeros(0, np.float32) if detail[0][1][0] == "float32" else []
    return cls(**values)


def time(stamp: int) -> Any:
    return make("builtin_interfaces/msg/Time", sec=stamp // 10**9, nanosec=stamp % 10**9)


def header(stamp: int, frame: str = "") -> Any:
    return make("std_msgs/msg/Header", stamp=time(stamp), frame_id=frame)


@dataclass
class Recording:
    """A bag being written; `robot` is the robot's clock, `offset` the recorder's ahead of it."""

    path: Path
    storage: str = "mcap"
    arm: str = "PSM1"
    robot: int = 10**9
    offset: int = START
    without: frozenset[str] = frozenset()
    """Relative topics that are not recorded."""
    compressed: bool = False
    camera: str = "camera/image_raw"
    picture: Callable[[np.ndarray], np.ndarray] = lambda pixels: pixels
    """What becomes of the camera's pixels."""
    spoil: Callable[[Recording, int, int], None] = lambda recording, number, step: None
    """Called before each step, with the numbers of episode and step."""
    _connections: dict[str, Any] = field(default_factory=dict)

    def __enter__(self) -> Recording:
        plugin = StoragePlugin[self.storage.upper()]
        self._writer = Writer(self.path, version=9, storage_plugin=plugin)
        self._writer.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _e: object, _t: TracebackType | None
    ) -> None:
        self._writer.close()

    def send(self, topic: str, message: Any, kind: str = "") -> None:
        """Record a message now."""
        if topic in self.without:
            return
        kind = kind or message.__msgtype__
        if topic not in self._connections:
            self._connections[topic] = self._writer.add_connection(
                f"/{topic}", kind, typestore=TYPES
            )
        data = TYPES.serialize_cdr(message, kind)
        self._writer.write(self._connections[topic], self.robot + self.offset, data)

    def mark(self, text: str) -> None:
        message = make("crtk_msgs/msg/StringStamped", header=header(self.robot), string=text)
        self.send("episode_mark", message)

    def frame(self, pixels: np.ndarray, success: bool, constraint: bool) -> None:
        """A camera frame and what physics knows of it."""
        import cv2

        self._last = (pixels, success, constraint)
        pixels = self.picture(pixels)
        head = header(self.robot, "camera")
        if self.compressed:
            _, data = cv2.imencode(".png", pixels[..., ::-1])
            image = make(COMPRESSED, header=head, format="rgb8; png compressed bgr8", data=data)
            self.send(f"{self.camera}/compressed", image)
        else:
            height, width, _ = pixels.shape
            data = np.ascontiguousarray(pixels).reshape(-1)
            size = {"height": height, "width": width, "step": 3 * width}
            image = make(IMAGE, header=head, encoding="rgb8", data=data, **size)
            self.send(self.camera, image)
        state = make(
            "ls3_interfaces/msg/TaskState", header=head, success=success, constraint=constraint
        )
        self.send("task_state", state)

    def frame_again(self) -> None:
        """The last frame, at another time."""
        self.frame(*self._last)

    def setpoint(self, xy: np.ndarray, z: float = -0.12, arm: str = "") -> None:
        self._place = xy
        point = make("geometry_msgs/msg/Point", x=float(xy[0]), y=float(xy[1]), z=z)
        pose = make("geometry_msgs/msg/Pose", position=point)
        arm = arm or self.arm
        message = make(
            "geometry_msgs/msg/PoseStamped", header=header(self.robot, f"{arm}_base"), pose=pose
        )
        self.send(f"{arm}/setpoint_cp", message)

    def setpoint_again(self) -> None:
        """The last setpoint, at another time: the arm is at rest."""
        self.setpoint(self._place)

    def command(self, number: int, step: int, image_stamp: int, sent: np.ndarray) -> None:
        message = make(
            "ls3_interfaces/msg/ArmCommand",
            header=header(self.robot, f"{self.arm}_base"),
            episode=number,
            step=step,
            image_stamp=time(image_stamp),
            outcome="sent",
            requested=np.asarray(sent, np.float32),
            sent=np.asarray(sent, np.float32),
        )
        self.send("arm_command", message)

    def motion(self, number: int, step: int, moving: bool) -> None:
        message = make(
            "ls3_interfaces/msg/MotionState",
            header=header(self.robot),
            moving=moving,
            ready=True,
            episode=number,
            step=step,
        )
        self.send("motion_state", message)

    def wait(self, milliseconds: float) -> None:
        self.robot += int(milliseconds * MS)


@contextmanager
def simulation() -> Iterator[gymnasium.Env]:
    env = make_environment(load_spec("cable_routing"))
    yield env
    env.close()


def record_episode(
    recording: Recording, env: gymnasium.Env, kind: str, seed: int, number: int, steps: int = 50
) -> Episode:
    """One episode of a behaviour; returns it as the simulation itself has it.

    Each step takes STEP_MS: the frame, 50 ms of planning, 250 ms of motion, and a rest. Frames
    in between show the state before, so that a wrong one would be seen.
    """
    scene = env.unwrapped.scene  # type: ignore[attr-defined]
    act = environment.behaviour(env, kind, seed)
    pending: list[Any] = []

    def chosen(observation: np.ndarray, info: Any) -> np.ndarray:
        """Records what the step before led to, then what comes next."""
        _finish(recording, scene, info, pending, number)
        action = np.asarray(act(observation, info), np.float32)
        begin = scene.setpoint
        step = len(pending)
        recording.spoil(recording, number, step)
        stamp = recording.robot
        request = make(
            "ls3_interfaces/msg/StepRequest", header=header(stamp), episode=number, step=step
        )
        recording.send("step_request", request)
        pending.append((begin, stamp, scene.render(), info, action))
        return action

    options = environment.reset_options(env, kind)
    episode = environment.run_episode(
        env, chosen, source=kind, seed=seed, steps=steps, options=options
    )
    info = {"success": scene.at_goal, "constraint": scene.violated}
    _finish(recording, scene, info, pending, number)
    return episode


def _finish(recording: Recording, scene: Any, info: Any, pending: list[Any], number: int) -> None:
    """The motion of the newest step, and the frame that shows where it led."""
    if pending:
        begin, stamp, before, seen, action = pending[-1]
        end = scene.setpoint
        for moment in range(10, STEP_MS, 10):
            recording.robot = stamp + moment * MS
            share = float(np.clip((moment - 50) / 250, 0, 1))
            recording.setpoint(begin + share * (end - begin))
            if moment == 50:
                recording.command(number, len(pending) - 1, stamp, action)
                recording.motion(number, len(pending) - 1, moving=True)
            elif moment in (100, 200, 350):
                recording.frame(before, seen["success"], seen["constraint"])
            elif moment == 300:
                recording.motion(number, len(pending) - 1, moving=False)
        recording.robot = stamp + STEP_MS * MS
    recording.setpoint(scene.setpoint)
    recording.frame(scene.render(), info["success"], info["constraint"])
