"""A real browser without a window: Chromium, driven by its DevTools protocol."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ros_bench import until
from websockets.sync.client import connect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # containers lack what the sandbox needs; only pages of the tests are opened
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--remote-debugging-port=0",
)


class Browser:
    """One process of Chromium with one page, ended with the block."""

    def __init__(self, profile: Path, size: tuple[int, int] = (1500, 1250)) -> None:
        assert CHROMIUM is not None
        self._numbers = itertools.count(1)
        self._process = subprocess.Popen(
            [
                CHROMIUM,
                *OPTIONS,
                f"--user-data-dir={profile}",
                f"--window-size={size[0]},{size[1]}",
                "about:blank",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        file = profile / "DevToolsActivePort"
        port, path = until(lambda: file.exists() and file.read_text().split(), 60)
        self._open = contextlib.ExitStack()
        self._socket = self._open.enter_context(
            connect(f"ws://127.0.0.1:{port}{path}", max_size=None, proxy=None)
        )
        pages = self.command("Target.getTargets", own=False)["targetInfos"]
        target = next(page["targetId"] for page in pages if page["type"] == "page")
        attached = self.command("Target.attachToTarget", own=False, targetId=target, flatten=True)
        self._session = attached["sessionId"]

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._open.close()
        self._process.terminate()
        self._process.wait(20)

    def command(self, method: str, *, own: bool = True, **parameters: Any) -> Any:
        """Send a command of the protocol, to the page or to the browser, and return its result."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        self._socket.send(json.dumps(message | ({"sessionId": self._session} if own else {})))
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            answer = json.loads(self._socket.recv(timeout=60))
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]
        raise AssertionError(f"no answer to {method}")

    def open(self, address: str) -> None:
        """Go to a page, and wait until it is loaded."""
        self.command("Page.enable")
        self.command("Page.navigate", url=address)
        self.wait_for("document.readyState === 'complete'")

    def run(self, script: str) -> Any:
        """Evaluate an expression in the page; a promise is awaited."""
        answer = self.command(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def text(self, element: str) -> str:
        """What a person reads in an element; nothing where the element is hidden."""
        return str(self.run(f"document.getElementById({element!r}).innerText"))

    def wait_for(self, script: str, timeout: float = 60.0) -> Any:
        """Wait until an expression is true, and return its value."""
        return until(lambda: self.run(script), timeout)

    def wait_for_text(self, element: str, fits: Callable[[str], Any], timeout: float = 60.0) -> str:
        """Wait until an element's text fits, and return the text."""
        return str(until(lambda: fits(shown := self.text(element)) and (shown,), timeout)[0])

    def click(self, element: str) -> None:
        """Press and release the mouse in the middle of an element, as a person does."""
        x, y = self.run(
            f"(() => {{ const e = document.getElementById({element!r}); e.scrollIntoView();"
            "const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2];"
            "})()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.command(
                "Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1
            )

    def photograph(self) -> bytes:
        """The whole page as PNG."""
        answer = self.command("Page.captureScreenshot", captureBeyondViewport=True)
        return base64.b64decode(answer["data"])
