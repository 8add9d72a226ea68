"""First pass over a bag: reads and checks every stream except the pictures.

These streams fit into memory: one hour of a setpoint at 100 Hz takes 14 MB.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from dvrk_cable_env.bags.bag_files import Raw
from dvrk_cable_env.bags.reading import Bag
from dvrk_cable_env.bags.records import (
    MARKS,
    Mark,
    RecordedCommand,
    RecordedMotion,
    RecordedRequest,
    RecordedTaskState,
    Streams,
    TopicNames,
    nanoseconds,
    stamp_of,
)
from ls3_common import topics

CAMERA_TYPES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
CLUTCH = ("sensor_msgs/msg/Joy", "std_msgs/msg/Bool")
POSE = ("geometry_msgs/msg/PoseStamped",)
MARK = ("crtk_msgs/msg/StringStamped", "std_msgs/msg/String")
LATE = 10_000_000_000
"""Longest delay (ns) of a command's recording: a reliable topic repeats what was lost."""
JUMP = 500_000_000
"""A stamp that is this much (ns) before the previous stamp means that the clock jumped back. A
smaller difference means that messages are out of order."""


def read_streams(bag: Bag, names: TopicNames) -> Streams:
    """Read all streams of a bag except the pictures.

    Args:
        bag: the recording.
        names: which topics to read if the bag leaves a choice.

    Returns:
        The streams; `Streams.faults` says why a topic could not be read.
    """
    return _FirstPass(bag, names).run()


class _FirstPass:
    """State of the pass: the handler of each topic, and the pauses so far."""

    def __init__(self, bag: Bag, names: TopicNames) -> None:
        self._bag, self._names = bag, names
        self._out = Streams()
        self._handlers: dict[str, Callable[[int, Any], None]] = {}
        self._paused: dict[str, bool] = {}
        self._pause_began = 0
        self._log = 0

    def run(self) -> Streams:
        out = self._out
        compressed = f"{topics.CAMERA_IMAGE}/compressed"
        default = (topics.CAMERA_IMAGE, compressed)
        names = (self._names.camera,) if self._names.camera else default
        found = [topic for topic in (self._find(n, CAMERA_TYPES) for n in names) if topic]
        out.camera = found[0] if found else ""
        faults = [out.faults.pop(name, "") for name in names]
        out.camera_fault = "" if found else "; ".join(filter(None, faults))
        out.arms = sorted(
            topic.split("/")[-2]
            for topic in self._bag.topics
            if topic.endswith("/setpoint_cp") and topic.split("/")[-2].startswith("PSM")
        )
        arm = self._names.arm or (out.arms[0] if len(out.arms) == 1 else "")
        for name, kinds, handler in (
            (topics.ARM_COMMAND, ("ls3_interfaces/msg/ArmCommand",), self._on_command),
            (topics.STEP_REQUEST, ("ls3_interfaces/msg/StepRequest",), self._on_request),
            (topics.TASK_STATE, ("ls3_interfaces/msg/TaskState",), self._on_state),
            (topics.EPISODE_MARK, MARK, self._on_mark),
            *([(topics.arm(arm, "setpoint_cp"), POSE, self._on_setpoint)] if arm else []),
        ):
            self._route(self._find(name, kinds), handler)
        # the history holds every change, but controller_node and older bags have the state only
        for name in (topics.MOTION_HISTORY, topics.MOTION_STATE):
            motions = self._find(name, ("ls3_interfaces/msg/MotionState",))
            if motions:
                self._route(motions, self._on_motion)
                out.faults.pop(topics.MOTION_HISTORY, None)
                break
        out.has_task_states = topics.TASK_STATE not in out.faults
        self._find_pauses(arm)
        for raw in self._bag.messages(set(self._handlers)):
            self._log = raw.log
            out.span = (out.span[0] or raw.log, raw.log)
            self._take(raw)
        if self._pause_began:
            out.pauses.append((self._pause_began, self._log))
        out.commands = _correct_late(out.commands, out.motions)
        return out

    def _find_pauses(self, arm: str) -> None:
        """Route the topics that tell whether the operator is clutched, and note what is missing."""
        faults = self._out.pause_faults
        clutches: list[str] = []
        following: list[str] = []
        for name in self._names.clutch:
            clutches += filter(None, [self._find(name, CLUTCH)])
            faults += filter(None, [self._out.faults.pop(name, "")])
        for topic, kind in self._bag.topics.items():
            if topic.endswith("/clutch") and not self._names.clutch:
                if kind in CLUTCH:
                    clutches.append(topic)
                else:
                    faults.append(f"topic '{topic}' is {kind}, expected {' or '.join(CLUTCH)}")
            if arm and topic.endswith(f"_{arm}/following") and kind == "std_msgs/msg/Bool":
                following.append(topic)
        for topic in clutches:
            self._route(topic, partial(self._on_clutch, topic))
        for topic in following:
            self._route(topic, partial(self._on_following, topic))
        if not (clutches or following or faults):
            faults.append(
                "no topic of a clutch was recorded, so that the time while it was pressed is not "
                "cut out (name the topic with --clutch)"
            )

    def _route(self, topic: str, handler: Callable[[int, Any], None]) -> None:
        if topic:
            self._handlers[topic] = handler

    def _find(self, name: str, kinds: tuple[str, ...]) -> str:
        """The full name of a topic; empty, with an entry in `faults`, if none or several match."""
        parts = [*self._names.namespace.split("/"), *name.split("/")]
        wanted = name if name.startswith("/") else "/" + "/".join(filter(None, parts))
        found = [topic for topic in self._bag.topics if topic == wanted]
        if not found and not self._names.namespace:
            found = sorted(t for t in self._bag.topics if t.endswith("/" + name.lstrip("/")))
        if len(found) != 1:
            several = f"several topics '{name}' ({', '.join(found)}): choose with "
            several += "--namespace or --camera"
            self._out.faults[name] = several if found else f"no topic '{name}'"
            return ""
        kind = self._bag.topics[found[0]]
        if kind not in kinds:
            self._out.faults[name] = f"topic '{found[0]}' is {kind}, expected {' or '.join(kinds)}"
            return ""
        return found[0]

    def _take(self, raw: Raw) -> None:
        try:
            self._handlers[raw.topic](raw.log, self._bag.decode(raw))
        except ValueError as error:
            self._out.drops[f"{raw.topic}: {error}"] += 1

    def _on_command(self, log: int, message: Any) -> None:
        self._out.commands.append(
            RecordedCommand(
                log,
                stamp_of(message),
                message.episode,
                message.step,
                nanoseconds(message.image_stamp),
                message.outcome,
                tuple(map(float, message.sent)),
                message.header.frame_id,
            )
        )

    def _on_motion(self, log: int, message: Any) -> None:
        stamp, moving = stamp_of(message), bool(message.moving)
        self._out.motions.append(RecordedMotion(log, stamp, moving, message.episode, message.step))

    def _on_request(self, log: int, message: Any) -> None:
        request = RecordedRequest(log, stamp_of(message), message.episode, message.step)
        self._out.requests.append(request)

    def _on_state(self, log: int, message: Any) -> None:
        stamp = stamp_of(message)
        state = RecordedTaskState(log, bool(message.success), bool(message.constraint))
        self._out.task_states.setdefault(stamp, []).append(state)
        if state.constraint:
            self._out.violations.append((log, stamp))

    def _on_mark(self, log: int, message: Any) -> None:
        text = message.string if hasattr(message, "string") else message.data
        word, _, rest = text.strip().lower().partition(" ")
        if word in MARKS:
            self._out.marks.append(Mark(log, word, rest.strip()))
        else:
            self._out.drops[f"mark '{text[:40]}' is none of {', '.join(MARKS)}"] += 1

    def _on_setpoint(self, log: int, message: Any) -> None:
        out, stamp, place = self._out.setpoints, stamp_of(message), message.pose.position
        last = out.stamp[-1] if out.stamp else 0
        if stamp == 0:
            self._out.drops["setpoint_cp: stamp 0, which means invalid"] += 1
            return
        if stamp <= last and last - stamp <= JUMP:
            self._out.drops["setpoint_cp: out of order"] += 1
            return
        if stamp < last:
            out.jumps.append((log, (last - stamp) / 1e9))
        out.log.append(log)
        out.stamp.append(stamp)
        out.xyz.extend((place.x, place.y, place.z))
        out.frames.add(message.header.frame_id)

    def _on_clutch(self, topic: str, log: int, message: Any) -> None:
        down = list(message.buttons[:1]) == [1] if hasattr(message, "buttons") else message.data
        self._set_pause(topic, log, bool(down))

    def _on_following(self, topic: str, log: int, message: Any) -> None:
        self._set_pause(topic, log, not message.data)

    def _set_pause(self, cause: str, log: int, on: bool) -> None:
        self._paused[cause] = on
        paused = any(self._paused.values())
        if paused and not self._pause_began:
            self._pause_began = log
        elif not paused and self._pause_began:
            self._out.pauses.append((self._pause_began, log))
            self._pause_began = 0


def _correct_late(
    commands: list[RecordedCommand], motions: list[RecordedMotion]
) -> list[RecordedCommand]:
    """Correct the time of recording of commands that reached the recorder late.

    A reliable topic repeats a lost message, up to seconds later, and holds back all messages after
    it. MOTION_STATE shows independently when the command was carried out.
    """
    begun: dict[tuple[int, int], list[RecordedMotion]] = {}
    for motion in motions:
        begun.setdefault((motion.episode, motion.step), []).append(motion)
    found: list[RecordedCommand] = []
    for command in reversed(commands):
        logs = [
            motion.log
            for motion in begun.get((command.episode, command.step), ())
            if 0 <= motion.stamp - command.stamp <= LATE and 0 <= command.log - motion.log <= LATE
        ]
        following = found[-1:]  # the order of the topic is kept
        log = min([command.log, *logs, *(one.log for one in following)])
        found.append(command._replace(log=log))
    return found[::-1]
