"""The page of view_node in a real browser: what a person sees, and what a stranger cannot do."""

from __future__ import annotations

import http.server
import re
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from browser import CHROMIUM, Browser
from view_graph import WORDS, Graph, port_of, started

from ls3_common import qos, topics

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")


@pytest.fixture
def graph(bench: Any) -> Graph:
    return Graph(bench)


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
