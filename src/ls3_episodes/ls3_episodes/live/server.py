"""The page's web server: picture and state for those who look, and a stop button. No ROS.

The server listens on this computer only. A browser also runs the pages of strangers, which may send
requests to it. Therefore a request must name this computer in its Host header, or a stranger's
domain that resolves to 127.0.0.1 could read the page. Picture, state and stop button use one
WebSocket, for which the browser says by whose page it was opened (Origin): only by ours.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.resources
import json
import logging
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from ls3_common.errors import UserError

HOST = "127.0.0.1"
OWN_NAMES = ("127.0.0.1", "localhost", "::1")
"""Names of this computer; through a tunnel of ssh the browser uses one of them as well."""
SOCKET = "/live"
"""Path of the WebSocket."""
FILES = {
    "/": ("page.html", "text/html"),
    "/page.js": ("page.js", "text/javascript"),
    "/page.css": ("page.css", "text/css"),
}
"""File and type by path."""
GUARDS = {
    "Cache-Control": "no-store",
    # scripts and styles from here only; nobody may frame the page and have its button pressed
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src blob: data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
LARGEST_MESSAGE = 256
"""Bytes of a message from a page, which has one word to say."""
MOST_PAGES = 8
"""Pages that may look at the same time."""
CLOSE_TIMEOUT_S = 0.6
"""Longest wait for the end of all connections. A launch gives a node 2 s to leave."""
STOP, STOP_TIMEOUT_S = "stop", 5.0
"""What the button sends, and the longest wait for the arm's answer."""
NO_ANSWER = "NO ANSWER within 5 s: use the robot's emergency stop"


def refusal(headers: Headers, *, needs_origin: bool) -> str:
    """Return why a request is not from a page of this server; empty if it may be.

    needs_origin: whether the request must say by whose page it was made, which browsers do for
    every WebSocket.
    """
    hosts, origins = headers.get_all("Host"), headers.get_all("Origin")
    try:
        name = urlsplit(f"//{hosts[0]}").hostname if len(hosts) == 1 else None
    except ValueError:
        name = None
    if name not in OWN_NAMES:
        return f"the host is not one of {', '.join(OWN_NAMES)}"
    if origins != [f"http://{hosts[0]}"] and (origins or needs_origin):
        return "the request was made by another page"
    return ""


class PageServer:
    """Serves the page from a thread of its own; all methods return at once."""

    def __init__(self, port: int, stop: Callable[[], Future[tuple[bool, str]]]) -> None:
        """Start to serve.

        Args:
            port: TCP port on this computer; 0: any that is free.
            stop: stops the arm; the future holds whether the arm rests, and its words. It is called
                in the server's thread.

        Raises:
            UserError: the port is taken.
        """
        try:
            self._socket = socket.create_server((HOST, port))
        except OSError as error:
            raise UserError(
                f"port {port} is not free: {error.strerror}",
                where="view_node",
                do='set:="view_node.port=PORT" in the launch, or close what uses the port',
            ) from None
        self.port: int = self._socket.getsockname()[1]
        self._stop = stop
        self._files = {
            path: (importlib.resources.files(__package__).joinpath(name).read_bytes(), kind)
            for path, (name, kind) in FILES.items()
        }
        self._pages: set[asyncio.Event] = set()
        self._picture, self._state = b"", "{}"
        self._loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="page", daemon=True)
        self._thread.start()

    @property
    def looking(self) -> int:
        """How many pages are open."""
        return len(self._pages)

    def show(self, picture: bytes, state: dict[str, Any]) -> None:
        """Send a picture (JPEG) and a state to all pages; slow pages skip some."""
        text = json.dumps(state, allow_nan=False)
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._spread, picture, text)

    def close(self) -> None:
        """Close all pages' connections and the port."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(CLOSE_TIMEOUT_S)

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        quiet = logging.Logger("ls3_episodes.page", logging.CRITICAL)  # of whoever knocks
        async with serve(
            self._talk,
            sock=self._socket,
            process_request=self._admit,
            compression=None,  # a JPEG does not shrink
            max_size=LARGEST_MESSAGE,
            server_header=None,
            close_timeout=CLOSE_TIMEOUT_S / 2,
            logger=quiet,
        ):
            await self._end.wait()

    def _admit(self, _connection: ServerConnection, request: Request) -> Response | None:
        """Answer a request for a file; None lets a WebSocket begin."""
        path = request.path.partition("?")[0]
        reason = refusal(request.headers, needs_origin=path == SOCKET)
        if reason:
            return _answer(HTTPStatus.FORBIDDEN, f"Refused: {reason}.\n".encode())
        if path in self._files:
            return _answer(HTTPStatus.OK, *self._files[path])
        if path != SOCKET:
            return _answer(HTTPStatus.NOT_FOUND, b"There is no such page.\n")
        if len(self._pages) >= MOST_PAGES:
            return _answer(HTTPStatus.SERVICE_UNAVAILABLE, b"Too many pages are open.\n")
        return None

    def _spread(self, picture: bytes, state: str) -> None:
        self._picture, self._state = picture, state
        for page in self._pages:
            page.set()

    async def _talk(self, connection: ServerConnection) -> None:
        fresh = asyncio.Event()
        self._pages.add(fresh)
        sender = asyncio.create_task(self._send(connection, fresh))
        try:
            async for message in connection:
                if message == STOP:
                    await connection.send(json.dumps({"stop": await self._stopped()}))
        except ConnectionClosed:
            pass
        finally:
            self._pages.discard(fresh)
            sender.cancel()

    async def _send(self, connection: ServerConnection, fresh: asyncio.Event) -> None:
        sent = b""
        with contextlib.suppress(ConnectionClosed):
            while True:
                await fresh.wait()
                fresh.clear()
                picture = self._picture
                await connection.send(self._state)
                if picture is not sent:
                    sent = picture
                    await connection.send(picture)

    async def _stopped(self) -> dict[str, Any]:
        try:
            obeyed, words = await asyncio.wait_for(
                asyncio.wrap_future(self._stop()), STOP_TIMEOUT_S
            )
        except asyncio.TimeoutError:
            obeyed, words = False, NO_ANSWER
        return {"ok": obeyed, "text": words}


def _answer(status: HTTPStatus, body: bytes, kind: str = "text/plain") -> Response:
    headers = Headers(GUARDS)
    headers["Content-Type"] = f"{kind}; charset=utf-8"
    headers["Content-Length"] = str(len(body))
    headers["Connection"] = "close"
    return Response(status.value, status.phrase, headers, body)
