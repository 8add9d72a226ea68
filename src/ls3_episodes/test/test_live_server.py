"""The page's server: its own page may look and stop, nobody else's."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from ros_bench import until
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import connect

from ls3_common.errors import UserError
from ls3_episodes.live import server
from ls3_episodes.live.server import FILES, MOST_PAGES, PageServer

pytestmark = pytest.mark.background

STATE = {"streams": {}, "title": "a task"}


class StopButton:
    """Counts how often it was pressed; the arm obeys unless told otherwise."""

    def __init__(self) -> None:
        self.pressed = 0
        self.answers = True
        self.thread = ""

    def __call__(self) -> Future[tuple[bool, str]]:
        self.pressed += 1
        self.thread = threading.current_thread().name
        answer: Future[tuple[bool, str]] = Future()
        if self.answers:
            answer.set_result((True, "at rest after 0.6 mm"))
        return answer


@pytest.fixture
def button() -> StopButton:
    return StopButton()


@pytest.fixture
def page(button: StopButton) -> Iterator[PageServer]:
    served = PageServer(0, button)
    yield served
    served.close()


def get(page: PageServer, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=10)
    connection.putrequest("GET", path, skip_host=True)
    for name, value in ({"Host": f"localhost:{page.port}"} | headers).items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), body


def said_to(page: PageServer, words: str) -> bytes:
    """The first line of the answer to any request; empty if there is none."""
    with socket.create_connection(("127.0.0.1", page.port), 10) as line:
        line.sendall(words.encode())
        with contextlib.suppress(ConnectionError):
            return line.makefile("rb").readline()
    return b""


def opened(page: PageServer, origin: str | None = None, **options: Any) -> Any:
    """A WebSocket as the page opens it, or as a page of another origin does."""
    own = f"http://localhost:{page.port}"
    return connect(f"ws://localhost:{page.port}/live", origin=origin or own, proxy=None, **options)


@pytest.mark.parametrize("path", FILES)
def test_the_page_is_served_with_its_guards(page: PageServer, path: str) -> None:
    for host in ("localhost", "127.0.0.1", "[::1]"):
        status, headers, body = get(page, path, Host=f"{host}:{page.port}")
        assert status == 200
        assert headers["Content-Type"].startswith(FILES[path][1])
        assert len(body) == int(headers["Content-Length"]) > 500
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert not [name for name in headers if name.startswith("Access-Control")]


def test_the_page_has_no_script_or_style_that_its_policy_forbids(page: PageServer) -> None:
    _, _, body = get(page, "/")
    text = body.decode()
    assert "<script src=" in text
    assert "style=" not in text
    assert "onclick" not in text
    assert "//" not in text  # nothing of another server


@pytest.mark.parametrize("path", [*FILES, "/live", "/nothing"])
@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8420", "localhost.evil.example", "10.0.0.1", "[", ""]
)
def test_a_strangers_name_for_this_computer_is_refused(
    page: PageServer, path: str, host: str
) -> None:
    """A domain of a stranger that resolves to 127.0.0.1 makes its page one of the same origin."""
    status, _, body = get(page, path, Host=host)
    assert status == 403
    assert body.startswith(b"Refused: the host")


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "https://localhost:{port}",
        "http://localhost:1",
        "http://127.0.0.1:{port}",
        "null",
    ],
)
def test_a_foreign_page_neither_looks_nor_stops(
    page: PageServer, button: StopButton, origin: str
) -> None:
    with pytest.raises(InvalidStatus) as refused, opened(page, origin.format(port=page.port)):
        pass
    assert refused.value.response.status_code == 403
    assert get(page, "/", Origin=origin.format(port=page.port))[0] == 403
    assert page.looking == button.pressed == 0


def test_a_socket_without_an_origin_is_no_page(page: PageServer) -> None:
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(f"ws://localhost:{page.port}/live", proxy=None),
    ):
        pass
    assert refused.value.response.status_code == 403


def test_no_request_but_a_page_and_its_socket_does_anything(
    page: PageServer, button: StopButton
) -> None:
    assert get(page, "/stop")[0] == 404
    assert get(page, "/../server.py")[0] == 404
    assert get(page, "/live")[0] == 403  # not from a page
    for words in ("POST /stop", "POST /live", "PUT /"):
        assert b" 200 " not in said_to(page, f"{words} HTTP/1.1\r\nHost: localhost\r\n\r\nstop")
    assert button.pressed == 0


def test_a_page_gets_pictures_and_states(page: PageServer) -> None:
    assert page.looking == 0
    with opened(page) as look:
        until(lambda: page.looking == 1)
        page.show(b"jpeg 1", STATE)
        assert json.loads(look.recv(10)) == STATE
        assert look.recv(10) == b"jpeg 1"
        page.show(b"jpeg 2", STATE | {"title": "another"})
        assert json.loads(look.recv(10))["title"] == "another"
        assert look.recv(10) == b"jpeg 2"
    until(lambda: page.looking == 0)
    page.show(b"nobody looks", STATE)


def test_a_page_that_does_not_read_delays_nobody_and_gets_the_newest(page: PageServer) -> None:
    with opened(page, max_queue=1) as slow, opened(page) as other:
        until(lambda: page.looking == 2)
        began = time.monotonic()
        for number in range(200):
            page.show(bytes([number]) * 500_000, {"number": number})
        assert time.monotonic() - began < 5.0

        def last(look: Any) -> int:
            while not isinstance(message := look.recv(20), bytes) or message[0] < 199:
                pass
            return message[0]

        assert last(other) == 199
        seen = []
        while not seen or seen[-1] < 199:
            message = slow.recv(20)
            if isinstance(message, bytes):
                seen.append(message[0])
        assert len(seen) < 100


def test_the_button_stops_and_says_what_came_of_it(page: PageServer, button: StopButton) -> None:
    with opened(page) as look:
        look.send("stop")
        assert json.loads(look.recv(10)) == {"stop": {"ok": True, "text": "at rest after 0.6 mm"}}
    assert (button.pressed, button.thread) == (1, "page")


def test_no_answer_of_the_arm_is_not_called_a_stop(
    page: PageServer, button: StopButton, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "STOP_TIMEOUT_S", 0.2)
    button.answers = False
    with opened(page) as look:
        look.send("stop")
        answer = json.loads(look.recv(10))["stop"]
    assert answer["ok"] is False
    assert "emergency stop" in answer["text"]


def test_other_words_of_a_page_do_nothing(page: PageServer, button: StopButton) -> None:
    with opened(page) as look:
        for message in ("arm", "", b"stop", '{"stop": true}'):
            look.send(message)
        until(lambda: page.looking == 1)
        page.show(b"picture", STATE)
        assert json.loads(look.recv(10)) == STATE  # the connection is alive
        look.send("stop" * 1000)
        with pytest.raises(ConnectionClosedError, match="too big"):
            list(look)
    assert button.pressed == 0


def test_only_so_many_pages_look(page: PageServer) -> None:
    with contextlib.ExitStack() as pages:
        for _ in range(MOST_PAGES):
            pages.enter_context(opened(page))
        until(lambda: page.looking == MOST_PAGES)
        with pytest.raises(InvalidStatus) as refused, opened(page):
            pass
    assert refused.value.response.status_code == 503


def test_a_port_that_is_taken_is_named(page: PageServer, button: StopButton) -> None:
    with pytest.raises(UserError, match=f"port {page.port} is not free") as error:
        PageServer(page.port, button)
    assert "view_node.port=" in str(error.value)


def test_the_port_is_of_this_computer_only(page: PageServer) -> None:
    assert page._socket.getsockname()[0] == "127.0.0.1"


def test_strangers_who_knock_leave_nothing_in_the_log(
    page: PageServer, capfd: pytest.CaptureFixture[str]
) -> None:
    for noise in (b"\x16\x03\x01\x02", b"GET / HTTP/1.1\r\n" + b"a" * 10_000, b"\r\n\r\n", b""):
        with socket.create_connection(("127.0.0.1", page.port), 10) as line:
            line.sendall(noise)
    assert get(page, "/")[0] == 200
    assert capfd.readouterr() == ("", "")


def test_nothing_happens_after_the_end(button: StopButton) -> None:
    page = PageServer(0, button)
    with opened(page) as look:
        page.close()
        with pytest.raises(Exception, match=r"received 1001|no close frame"):
            look.recv(10)
    page.show(b"picture", STATE)
    assert not page._thread.is_alive()
