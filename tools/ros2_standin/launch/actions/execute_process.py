"""Runs a program, shows its output, and stops the program and what it left behind."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import subprocess
from collections.abc import Iterable, Mapping
from typing import IO, TYPE_CHECKING, Any

from launch import logging
from launch.action import Action, LaunchDescriptionEntity, as_entities
from launch.event_handlers import OnProcessExit, OnShutdown, Reaction
from launch.events.process import ProcessExited
from launch.substitution import SomeSubstitutionsType, resolve
from launch.substitutions import LaunchConfiguration

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext

# Seconds. The real launch waits 5 and 5; here everything ends within 5 s of Ctrl-C.
SIGTERM_TIMEOUT = LaunchConfiguration("sigterm_timeout", default=2.0)
SIGKILL_TIMEOUT = LaunchConfiguration("sigkill_timeout", default=1.0)

_counter = itertools.count(1)


class ExecuteProcess(Action):
    """Runs a program in a session of its own, so that Ctrl-C reaches it only once.

    The arguments are those of `launch`; see the stand-in's README for the differences.
    """

    def __init__(
        self,
        *,
        cmd: Iterable[SomeSubstitutionsType],
        name: SomeSubstitutionsType | None = None,
        cwd: SomeSubstitutionsType | None = None,
        env: Mapping[Any, SomeSubstitutionsType] | None = None,
        additional_env: Mapping[Any, SomeSubstitutionsType] | None = None,
        shell: bool = False,
        output: SomeSubstitutionsType = "log",
        on_exit: Reaction = None,
        sigterm_timeout: SomeSubstitutionsType = SIGTERM_TIMEOUT,
        sigkill_timeout: SomeSubstitutionsType = SIGKILL_TIMEOUT,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.cmd = list(cmd)
        self._name, self._cwd, self._env, self._additional_env = name, cwd, env, additional_env
        self._shell, self._output = shell, output
        self._on_exit = on_exit if callable(on_exit) else as_entities(on_exit)
        self._timeouts = (sigterm_timeout, sigkill_timeout)
        self._popen: subprocess.Popen[bytes] | None = None
        self._exited = asyncio.Event()
        self._executed = False

    @property
    def return_code(self) -> int | None:
        """Exit code of the process; None until it has ended."""
        return self._popen.returncode if self._popen else None

    def get_sub_entities(self) -> list[LaunchDescriptionEntity]:
        """Return the entities that are visited when the process has ended."""
        return [] if callable(self._on_exit) else self._on_exit

    def execute(self, context: LaunchContext) -> None:
        """Start the process and register its event handlers."""
        if self._executed:
            raise RuntimeError(f"action executed more than once: {self.cmd}")
        self._executed = True
        self._prepare(context)
        if self._on_exit:
            context.register_event_handler(OnProcessExit(target_action=self, on_exit=self._on_exit))
        context.register_event_handler(OnShutdown(on_shutdown=self._shut_down))
        context.create_task(self._run(context))

    def _prepare(self, context: LaunchContext) -> None:
        """Resolve all texts now: when the process starts, the scope may have ended."""
        self._words = [resolve(context, word) for word in self.cmd]
        label = os.path.basename(self._words[0]) if self._name is None else self._name
        self.process_name = f"{resolve(context, label)}-{next(_counter)}"
        self._directory = None if self._cwd is None else resolve(context, self._cwd)
        self._environment = dict(context.environment) if self._env is None else {}
        for key, value in {**(self._env or {}), **(self._additional_env or {})}.items():
            self._environment[resolve(context, key)] = resolve(context, value)
        self._timeouts_s = [float(resolve(context, timeout)) for timeout in self._timeouts]
        self._destinations = logging.destinations(resolve(context, self._output))
        self._log = logging.get_logger(self.process_name)

    def _start(self) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                " ".join(self._words) if self._shell else self._words,
                shell=self._shell,
                cwd=self._directory,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise RuntimeError(f"cannot start process[{self.process_name}]: {error}") from error

    async def _run(self, context: LaunchContext) -> None:
        if context.is_shutdown:
            return
        assert context.guardian is not None
        self._popen = popen = self._start()
        context.guardian.watch(popen.pid)
        self._log.info(f"process started with pid [{popen.pid}]")
        outputs = [
            _Output(stream, f"[{self.process_name}] ", where)
            for stream, where in zip((popen.stdout, popen.stderr), self._destinations, strict=True)
        ]
        loop = asyncio.get_running_loop()
        pidfd = os.pidfd_open(popen.pid)
        loop.add_reader(pidfd, self._exited.set)
        await self._exited.wait()
        loop.remove_reader(pidfd)
        os.close(pidfd)
        returncode = popen.wait()
        await _end_group(popen.pid)
        context.guardian.forget(popen.pid)
        for output in outputs:
            output.close()
        if popen.stdin is not None:
            popen.stdin.close()
        if returncode == 0:
            self._log.info(f"process has finished cleanly [pid {popen.pid}]")
        else:
            self._log.error(
                f"process has died [pid {popen.pid}, exit code {returncode}, "
                f"cmd '{' '.join(self._words)}']."
            )
        context.emit_event_sync(
            ProcessExited(
                action=self,
                name=self.process_name,
                cmd=self._words,
                pid=popen.pid,
                returncode=returncode,
            )
        )

    def _shut_down(self, _event: object, context: LaunchContext) -> None:
        if self._popen is not None and not self._exited.is_set():
            context.create_task(self._stop(self._popen))

    async def _stop(self, popen: subprocess.Popen[bytes]) -> None:
        steps = ((signal.SIGINT, "SIGTERM"), (signal.SIGTERM, "SIGKILL"))
        for (number, worse), timeout in zip(steps, self._timeouts_s, strict=True):
            self._log.info(f"sending signal '{number.name}' to process[{self.process_name}]")
            send = os.killpg if self._shell else os.kill  # a shell does not pass signals on
            with contextlib.suppress(ProcessLookupError):
                send(popen.pid, number)
            try:
                await asyncio.wait_for(self._exited.wait(), timeout)
                return
            except asyncio.TimeoutError:
                self._log.error(
                    f"process[{self.process_name}] failed to terminate '{timeout}' seconds after "
                    f"receiving '{number.name}', escalating to '{worse}'"
                )
        with contextlib.suppress(ProcessLookupError):
            os.killpg(popen.pid, signal.SIGKILL)


class _Output:
    """Shows one stream of a process line by line, each line after the name of the process."""

    def __init__(self, stream: IO[bytes] | None, prefix: str, where: logging.Where) -> None:
        assert stream is not None
        self._stream, self._prefix, self._where = stream, prefix, where
        self._rest = b""
        os.set_blocking(stream.fileno(), False)
        asyncio.get_running_loop().add_reader(stream.fileno(), self._read)

    def _read(self) -> bool:
        """Show the available data; return False if there is none, for now or for good."""
        try:
            data = os.read(self._stream.fileno(), 65536)
        except BlockingIOError:
            return False
        if not data:
            asyncio.get_running_loop().remove_reader(self._stream.fileno())
            return False
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._show(line)
        return True

    def _show(self, line: bytes) -> None:
        logging.write(self._prefix + line.decode(errors="replace"), self._where)

    def close(self) -> None:
        while self._read():
            pass
        asyncio.get_running_loop().remove_reader(self._stream.fileno())
        self._stream.close()
        if self._rest:
            self._show(self._rest)


async def _end_group(group: int) -> None:
    """End what a finished process left behind in its session, within half a second."""
    for number in (signal.SIGTERM, *[0] * 10, signal.SIGKILL):
        try:
            os.killpg(group, number)
        except (ProcessLookupError, PermissionError):  # nothing left, or not this user's any more
            return
        await asyncio.sleep(0.05)
