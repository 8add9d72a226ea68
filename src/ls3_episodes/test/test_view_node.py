"""view_node as a process: what it draws and publishes, and its page in a real browser."""

from __future__ import annotations

import http.server
import io
import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from browser import CHROMIUM, Browser
from PIL import Image as Picture

from ls3_common import qos, topics
from ls3_models.bundle import load_bundle

needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
CONFIG = Path(__file__).parents[1] / "config"
WORDS = "no plan, (5) fails: P(in the safe set) at most 0.49 of 0.738 asked"
FILM = {"film__title": "a task", "film__width": 0.3}


ARM = """
import rclpy
from rclpy.node import Node
from ls3_common import ros

class Arm(Node):
    def __init__(self):
        super().__init__("arm_node")
        self.declare_parameter("limits.workspace_low", [-0.1, -0.1])
        self.declare_parameter("limits.workspace_high", [0.1, 0.2])

ros.run(Arm)
"""
"""A node that has arm_node's name and workspace."""


class Graph:
    """What view_node hears of a graph, published by the bench."""

    def __init__(self, bench: Any) -> None:
        from diagnostic_msgs.msg import DiagnosticArray
        from geometry_msgs.msg import PoseStamped
        from sensor_msgs.msg import Image
        from std_msgs.msg import String

        from ls3_interfaces.msg import MotionState, Plan

        self.bench = bench
        self.silent = False
        self.frames = 0
        self._kinds = Image, PoseStamped, DiagnosticArray
        node = bench.node
        self.plans = node.create_publisher(Plan, topics.PLAN, qos.RELIABLE)
        self.words = node.create_publisher(String, topics.PLAN_INPUT, qos.RELIABLE)
        self.states = node.create_publisher(MotionState, topics.MOTION_STATE, qos.LATCHED)
        self._cameras = node.create_publisher(Image, topics.CAMERA_IMAGE, qos.RELIABLE)
        self._masks = node.create_publisher(Image, topics.MASK, qos.RELIABLE)
        self._poses = node.create_publisher(PoseStamped, "PSM1/setpoint_cp", qos.RELIABLE)
        self._health = node.create_publisher(DiagnosticArray, "/diagnostics", qos.RELIABLE)
        node.create_timer(0.05, self._shoot)

    def _shoot(self) -> None:
        from diagnostic_msgs.msg import DiagnosticStatus

        if self.silent:
            return
        image, pose, array = self._kinds
        self.frames += 1
        pixels = np.full((64, 64, 3), 200, np.uint8)
        pixels[self.frames % 60 :][:4, 20:40] = 0
        for publisher, encoding, channels in (
            (self._cameras, "rgb8", 3),
            (self._masks, "mono8", 1),
        ):
            data = np.ascontiguousarray(pixels[..., :channels]).tobytes()
            message = image(height=64, width=64, encoding=encoding, step=64 * channels, data=data)
            publisher.publish(message)
        tip = pose()
        tip.pose.position.x, tip.pose.position.y, tip.pose.position.z = 0.01, 0.02, -0.12
        self._poses.publish(tip)
        status = DiagnosticStatus(level=b"\x00", name="arm_node", message="ok")
        self._health.publish(array(status=[status]))

    def plan(self, step: int, **changes: Any) -> None:
        from ls3_interfaces.msg import Plan

        values: dict[str, Any] = {
            "episode": 2,
            "step": step,
            "feasible": True,
            "action": [0.01, 0.0],
            "action_sequence": [0.01, 0.0, 0.0, 0.01],
            "safe_probability": 0.875,
            "constraint_probability": 0.125,
            "value": -12.0,
            "delta_safe": 0.8,
        }
        self.plans.publish(Plan(**(values | changes)))

    def hold(self, step: int) -> None:
        from std_msgs.msg import String

        from ls3_planner.plan_input import PlanInput

        made = PlanInput(0, 2, step, 0, None, "", "", {}, reason=WORDS)
        self.words.publish(String(data=made.to_json()))
        self.plan(step, feasible=False, action=[0.0, 0.0])

    def say_ready(self, *, ready: bool = True) -> None:
        from ls3_interfaces.msg import MotionState

        state = MotionState(ready=ready, reason="" if ready else "stopped by the operator")
        state.header.frame_id = "PSM1_base"
        self.states.publish(state)


def port_of(child: Any, bench: Any) -> int:
    """The port that the node says, once it does."""
    return int(bench.until(lambda: re.search(r"http://localhost:(\d+)", child.output), 60)[1])


@pytest.fixture
def graph(bench: Any) -> Graph:
    return Graph(bench)


def started(graph: Graph, **parameters: Any) -> Any:
    child = graph.bench.start("ls3_episodes.view_node", port=0, rate=20.0, **FILM, **parameters)
    graph.bench.matched(graph.plans, graph.words, graph.states)
    return child


def test_picture_and_shapes_are_published_for_those_who_look(graph: Graph, model: Path) -> None:
    from sensor_msgs.msg import CompressedImage
    from visualization_msgs.msg import Marker, MarkerArray

    bundle = load_bundle(model)
    bench = graph.bench
    bench.start("-c", ARM)
    started(graph, model=str(model))
    graph.say_ready()
    pictures = bench.collect(CompressedImage, topics.VIEW_PICTURE)
    arrays = bench.collect(MarkerArray, topics.VIEW_MARKERS)

    from std_msgs.msg import String

    from ls3_planner.plan_input import PlanInput

    made = PlanInput(0, 2, 0, 0, None, str(model), bundle.identity, {})
    graph.words.publish(String(data=made.to_json()))
    time.sleep(0.2)
    size = bundle.config.latent_dim
    graph.plan(0, imagined=np.linspace(-1, 1, 2 * size).tolist())

    def shown() -> list[np.ndarray]:
        """The newest picture, once the imagined frame in it is not blank."""
        newest = [Picture.open(io.BytesIO(bytes(message.data))) for message in pictures[-1:]]
        images = [np.asarray(one) for one in newest]
        return [image for image in images if image[400:650, 640:880].std() > 1.0]

    (picture,) = bench.until(shown, 60)
    assert picture.shape == (720, 1280, 3)
    assert pictures[-1].format == "jpeg"
    assert picture[100:600, 40:590].std() > 10  # the camera's image

    def complete() -> Any:
        names = {marker.id for array in arrays[-1:] for marker in array.markers[1:]}
        return arrays[-1] if names == {0, 1, 2} else None

    markers = bench.until(complete, 60).markers
    assert markers[0].action == Marker.DELETEALL
    assert {marker.header.frame_id for marker in markers} == {"PSM1_base"}
    path = [(round(p.x, 4), round(p.y, 4), round(p.z, 4)) for p in markers[1].points]
    assert path == [(0.01, 0.02, -0.12), (0.02, 0.02, -0.12), (0.02, 0.03, -0.12)]
    corners = {(round(p.x, 4), round(p.y, 4)) for p in markers[3].points}
    assert corners == {(-0.1, -0.1), (0.1, -0.1), (0.1, 0.2), (-0.1, 0.2)}
    graph.hold(1)
    words = bench.until(lambda: [m.text for m in arrays[-1].markers if m.text], 60)
    assert words == [WORDS]
    assert 0 not in {marker.id for marker in arrays[-1].markers[1:]}  # no plan, no path


def test_a_compressed_camera_is_shown_and_what_cannot_be_read_grows_old(graph: Graph) -> None:
    from sensor_msgs.msg import CompressedImage

    bench = graph.bench
    started(graph, compressed=True)
    frames = bench.publisher(CompressedImage, f"{topics.CAMERA_IMAGE}/compressed")
    pictures = bench.collect(CompressedImage, topics.VIEW_PICTURE)
    file = io.BytesIO()
    Picture.fromarray(np.full((64, 64, 3), (40, 200, 40), np.uint8)).save(file, "JPEG")
    content = {"good": file.getvalue(), "bad": b"\xff\xd8 no picture"}
    sent = ["good"]
    bench.node.create_timer(
        0.05, lambda: frames.publish(CompressedImage(format="jpeg", data=content[sent[-1]]))
    )

    def corner() -> list[int]:
        if not pictures:
            return [0, 0, 0]
        image = np.asarray(Picture.open(io.BytesIO(bytes(pictures[-1].data))))
        return image[100, 60].astype(int).tolist()

    def green() -> bool:
        red, green, blue = corner()
        return green > red + 100 and green > blue + 100

    bench.until(green, 60)
    sent.append("bad")  # these arrive as often as the others
    bench.until(lambda: max(corner()) - min(corner()) < 20, 60)
    sent.append("good")
    bench.until(green, 60)


def test_nothing_is_drawn_while_nobody_looks(graph: Graph) -> None:
    from sensor_msgs.msg import CompressedImage

    child = started(graph)
    port_of(child, graph.bench)

    def spent(seconds: float) -> float:
        """Processor time of the node in so many seconds, s; a busy machine does not lengthen it."""

        def used() -> float:
            fields = Path(f"/proc/{child.process.pid}/stat").read_text().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / 100

        before = used()
        time.sleep(seconds)
        return used() - before

    alone = spent(2.0)
    pictures = graph.bench.collect(CompressedImage, topics.VIEW_PICTURE)
    graph.bench.until(lambda: len(pictures) > 3, 60)
    watched, before = spent(2.0), len(pictures)
    assert before < 60, "no more than 20 a second"
    assert alone < 0.5 * watched


def test_a_port_that_is_taken_ends_the_node_without_a_traceback(graph: Graph) -> None:
    first = started(graph)
    port = port_of(first, graph.bench)
    second = graph.bench.start("ls3_episodes.view_node", port=port, **FILM)
    assert second.wait(60) == 2
    assert f"port {port} is not free" in second.output
    assert "Traceback" not in second.output
    assert first.runs


def test_rviz_and_foxglove_show_the_topics_of_this_node() -> None:
    rviz = yaml.safe_load((CONFIG / "ls3.rviz").read_text())
    displays = rviz["Visualization Manager"]["Displays"]
    shown = {display["Topic"]["Value"] for display in displays if "Topic" in display}
    assert shown == {f"/{topics.VIEW_PICTURE}", f"/{topics.VIEW_MARKERS}"}
    layout = json.loads((CONFIG / "foxglove_layout.json").read_text())

    def panels(part: Any) -> set[str]:
        if isinstance(part, str):
            return {part}
        return panels(part["first"]) | panels(part["second"])

    assert panels(layout["layout"]) == set(layout["configById"])
    text = json.dumps(layout)
    for topic in (topics.VIEW_PICTURE, topics.VIEW_MARKERS, topics.PLAN, topics.MOTION_STATE):
        assert f'"/{topic}' in text
    from ls3_interfaces.msg import Plan

    fields = re.findall(rf"/{topics.PLAN}\.(\w+)", text)
    assert len(fields) == 3
    assert set(fields) <= set(Plan.get_fields_and_field_types())


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("chromium")) as one:
        yield one


PIXELS = """(() => {
  const canvas = document.createElement("canvas"), image = document.getElementById("picture");
  if (!image.naturalWidth) return 0;
  canvas.width = canvas.height = 96;
  const pen = canvas.getContext("2d");
  pen.drawImage(image, 28, 84, 572, 572, 0, 0, 96, 96);
  return Array.from(pen.getImageData(0, 0, 96, 96).data).reduce((a, b, i) => (a * 31 + b) % 1e9);
})()"""


@needs_browser
def test_a_person_sees_a_moving_picture_the_reason_of_a_hold_and_what_is_old(
    graph: Graph, browser: Browser
) -> None:
    bench = graph.bench
    child = started(graph)
    browser.open(f"http://localhost:{port_of(child, bench)}/")
    graph.say_ready()
    for step in range(3):
        graph.plan(step)
    browser.wait_for_text("title", lambda text: text == "a task")
    seen = {bench.until(lambda: browser.run(PIXELS), 60)}
    bench.until(lambda: seen.add(browser.run(PIXELS)) or len(seen) > 3, 60)  # the picture moves
    graph.hold(3)
    browser.wait_for_text("holds", lambda text: WORDS in text and "episode 3, step 4" in text)
    facts = browser.wait_for_text("facts", lambda text: "4 of 100" in text)
    assert "NO PLAN: ARM HOLDS" in facts
    assert "ready" in facts
    assert "10.0, 20.0, -120.0 mm" in facts
    assert "arm_node" in browser.text("nodes")
    assert browser.text("banner") == ""
    drawn = "(c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(b => b))"
    for curve in ("probabilities", "value"):
        assert browser.run(f"{drawn}(document.getElementById('{curve}'))")

    graph.silent = True
    old = browser.wait_for_text("streams", lambda text: "camera: STALE" in text)
    assert "robot: STALE" in old
    browser.wait_for_text("banner", lambda text: "THE GRAPH IS SILENT" in text)
    assert browser.run("document.body.classList.contains('old')")
    browser.wait_for_text("facts", lambda text: "STALE" in text)
    graph.silent = False
    browser.wait_for_text("banner", lambda text: text == "")
    browser.wait_for_text("streams", lambda text: "STALE" not in text.split("plan")[0])

    child.stop()
    lost = browser.wait_for_text("banner", lambda text: "NO CONNECTION to view_node" in text)
    assert re.search(r"\d+ s old", lost)
    assert browser.run("document.getElementById('stop').disabled")
    browser.wait_for_text("streams", lambda text: text.count("STALE") == 5)


@needs_browser
def test_words_of_the_graph_are_text_and_no_html(graph: Graph, browser: Browser) -> None:
    from std_msgs.msg import String

    child = started(graph)
    browser.open(f"http://localhost:{port_of(child, graph.bench)}/")
    request = graph.bench.publisher(String, topics.RESET_REQUEST, qos.LATCHED)
    words = "<img src=x onerror=document.title='pressed'><b>lay the cable</b>"
    request.publish(String(data=words))
    browser.wait_for_text("request", lambda text: text == words)
    assert browser.run("document.querySelectorAll('#request *').length") == 0


class StrangersPage(http.server.SimpleHTTPRequestHandler):
    """A page of another origin on the same computer."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>another page</title>")

    def log_message(self, *_words: Any) -> None:
        pass


@pytest.fixture
def stranger() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), StrangersPage) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


TRIES = """(async () => {
  const tried = {};
  tried.socket = await new Promise((done) => {
    const socket = new WebSocket("ws://localhost:PORT/live");
    socket.onopen = () => { socket.send("stop"); done("open"); };
    socket.onerror = () => done("refused");
  });
  tried.fetch = await fetch("http://localhost:PORT/").then(() => "read", () => "refused");
  tried.blind = await fetch("http://localhost:PORT/page.js", {mode: "no-cors"})
    .then((answer) => answer.type, () => "refused");
  const frame = document.createElement("iframe");
  frame.src = "http://localhost:PORT/";
  document.body.append(frame);
  await new Promise((done) => { frame.onload = frame.onerror = done; setTimeout(done, 3000); });
  try { tried.frame = frame.contentDocument ? "read" : "hidden"; } catch { tried.frame = "hidden"; }
  return tried;
})()"""


@needs_browser
def test_a_page_of_another_origin_neither_reads_nor_stops(
    graph: Graph, browser: Browser, stranger: int
) -> None:
    from std_srvs.srv import Trigger

    pressed: list[int] = []

    def stop(_request: Any, response: Any) -> Any:
        pressed.append(1)
        response.success = True
        response.message = "at rest after 0.6 mm"
        return response

    graph.bench.node.create_service(Trigger, topics.arm_node("stop"), stop)
    port = port_of(started(graph), graph.bench)
    graph.say_ready()
    browser.open(f"http://127.0.0.1:{stranger}/")
    assert browser.run(TRIES.replace("PORT", str(port))) == {
        "socket": "refused",
        "fetch": "refused",
        "blind": "refused",
        "frame": "hidden",
    }
    time.sleep(0.5)
    assert pressed == []
    # the same browser on the page itself
    browser.open(f"http://localhost:{port}/")
    browser.wait_for("!document.getElementById('stop').disabled")
    browser.click("stop")
    browser.wait_for_text("answer", lambda text: text == "Stopped: at rest after 0.6 mm")
    assert pressed == [1]
