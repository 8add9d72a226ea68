"""view_node as a process: what it draws and publishes."""

from __future__ import annotations

import io
import json
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image as Picture
from view_graph import FILM, WORDS, Graph, port_of, started

from ls3_common import topics
from ls3_models.bundle import load_bundle

CONFIG = Path(__file__).parents[1] / "config"

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


@pytest.fixture
def graph(bench: Any) -> Graph:
    return Graph(bench)


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
    graph.inputs.publish(String(data=made.to_json()))
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
