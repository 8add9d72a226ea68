"""Runs the episodes of a phase at once, each in a process of its own, on one thread each.

Within a phase no episode depends on another one: each begins with the same models and a seed of its
own. A worker acts with an agent that has the learner's state, and writes the episode's file. The
learner then reads the files in their order, as it does after an interrupt. A run with workers
therefore ends at the same curve and weights as a run without, if that one has one thread as well.

If a worker dies, another one runs its episode again. Workers end with the process of the learner,
however that ends; files are written whole or not at all.
"""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import shutil
import signal
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import Any

import ls3_models  # noqa: F401  before torch: it sets how torch's threads wait

# isort: split
import torch

from ls3.learning.algorithm import EpisodeRequest, in_process, keep
from ls3.runs.domains import Domain
from ls3.runs.methods import find_method
from ls3_common.errors import UserError
from ls3_common.progress import Interrupted
from ls3_models import checkpoint
from ls3_models.agent import Agent
from ls3_models.offline_data import OfflineData
from ls3_sim.registration import make_environment

ATTEMPTS = 3
"""How many workers may die in an episode."""
PR_SET_PDEATHSIG = 1
"""Of Linux' prctl(2): the signal that a process is sent when its parent ends."""
POLL_S = 0.2
"""Time between two looks at whether a person wants to stop, s."""


@dataclass(frozen=True)
class EpisodeJob:
    """An episode for a worker.

    number: of the episode. phase: of the agent's state. seed: of the episode. state: file with the
    agent's state. directory: where to write the episode.
    """

    number: int
    phase: int
    seed: int
    state: Path
    directory: Path


@dataclass
class _Worker:
    process: BaseProcess
    connection: Connection
    job: EpisodeJob | None = None


class WorkerPool:
    """Processes that run the episodes of a phase; the `EpisodePool` of an `OnlineLearning`."""

    def __init__(self, domain: Domain, method: str, seed: int, count: int) -> None:
        """Prepare `count` processes for a method's agent, which start with the first phase.

        Args:
            domain: the domain as changed by the method.
            method: name of the method.
            seed: of the run.
            count: number of processes, at least one.

        Raises:
            UserError: the method's agent cannot act in another process.
        """
        if not find_method(method).kind.acts_from_state:
            raise UserError(
                f"the episodes of method '{method}' cannot run in other processes",
                do="leave --workers out",
            )
        self._arguments = domain, method, seed
        self._context = multiprocessing.get_context("spawn")  # OpenGL does not survive a fork
        self._folder: Path | None = None
        self._open: deque[EpisodeJob] = deque()
        self._unfinished: set[int] = set()
        self._deaths: dict[int, int] = {}
        self._count, self._workers = count, list[_Worker]()

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """End all processes."""
        for worker in self._workers:
            worker.connection.close()  # an idle worker ends by itself
            if worker.job is not None:
                worker.process.kill()
        for worker in self._workers:
            worker.process.join()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def begin(self, phase: int, agent: Agent, seeds: Mapping[int, int], directory: Path) -> None:
        """Run the episodes of a phase: numbers and seeds are `seeds`, their files in `directory`.

        Every episode of the phase before must have been waited for.
        """
        if not seeds:
            return
        while len(self._workers) < min(self._count, len(seeds)):
            self._workers.append(self._start())
        self._folder = directory.parent / "workers"
        shutil.rmtree(self._folder, ignore_errors=True)  # also that of a run that was killed
        state = self._folder / f"phase_{phase}.safetensors"
        checkpoint.save(state, agent.state(), {})
        self._deaths, self._unfinished = {}, set(seeds)
        self._open.extend(EpisodeJob(n, phase, seed, state, directory) for n, seed in seeds.items())
        self._hand_out()

    def wait_for(self, number: int, stopped: Callable[[], bool]) -> None:
        """Wait until an episode's file is written.

        Raises:
            Interrupted: a person wants to stop, and the episode had not begun. All that had begun
                have ended.
            UserError: what a worker refuses, or workers die again and again.
            OSError: what the system refuses a worker.
            RuntimeError: a worker has failed; the text is its traceback.
        """
        while number in self._unfinished:
            if stopped():
                self._open.clear()
                while any(worker.job for worker in self._workers):
                    self._collect()
                if number in self._unfinished:
                    raise Interrupted
                return
            self._collect()
            self._hand_out()

    def _hand_out(self) -> None:
        for worker in self._workers:
            if worker.job is None and self._open:
                worker.job = self._open.popleft()
                with contextlib.suppress(OSError):  # it is dead, which `_collect` notices
                    worker.connection.send(worker.job)

    def _collect(self) -> None:
        """Wait for a moment for what workers have to say."""
        found = wait([worker.connection for worker in self._workers], POLL_S)
        for index, worker in enumerate(self._workers):
            if worker.connection not in found:
                continue
            try:
                answer = worker.connection.recv()
            except (EOFError, OSError):
                self._workers[index] = self._replaced(worker)
                continue
            assert worker.job is not None
            number, worker.job = worker.job.number, None
            if isinstance(answer, UserError | OSError):
                raise answer
            if answer is not None:
                raise RuntimeError(f"episode {number} failed in a worker:\n{answer}")
            self._unfinished.discard(number)

    def _replaced(self, dead: _Worker) -> _Worker:
        """Start another worker instead of a dead one, whose episode becomes the next one again."""
        dead.process.join()
        dead.connection.close()
        if dead.job is not None:
            number = dead.job.number
            deaths = self._deaths[number] = self._deaths.get(number, 0) + 1
            if deaths >= ATTEMPTS:
                raise UserError(
                    f"{deaths} workers died in episode {number}, the last one with exit code "
                    f"{dead.process.exitcode}",
                    where="--workers",
                    do="see whether memory suffices, then run the same command again to continue",
                )
            self._open.appendleft(dead.job)
        return self._start()

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=work, args=(theirs, *self._arguments), daemon=True)
        # Ctrl-C reaches the whole group of processes; workers inherit this mask and end with us.
        # The tracker is a helper of multiprocessing; where it starts first, it clears the mask.
        resource_tracker.ensure_running()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        return _Worker(process, ours)


def work(connection: Connection, domain: Domain, method: str, seed: int) -> None:
    """Run the episodes that arrive, in a process of its own; end when the other side is closed.

    Answers None after each episode, or a UserError or OSError, or the text of another error.
    """
    torch.set_num_threads(1)
    with contextlib.suppress(AttributeError):  # no Linux: it ends after its episode
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    try:
        run: Callable[[EpisodeJob], None] | None = None
        while True:
            job = connection.recv()
            try:
                run = run or _runner(domain, method, seed)
                run(job)
                answer: Any = None
            except UserError as error:
                # the composed text alone; a class of its own may not survive the way
                answer = UserError(str(error))
            except OSError as error:  # such as a full disk
                answer = OSError(error.errno, error.strerror, error.filename)
            except Exception:
                answer = traceback.format_exc()
            connection.send(answer)
    except (EOFError, OSError):
        return  # the learner has ended


def _runner(domain: Domain, method: str, seed: int) -> Callable[[EpisodeJob], None]:
    """Return what runs an episode: an environment, and an agent without data of its own."""
    kind = find_method(method).kind
    data = OfflineData(domain.data_spec, (), (), "")
    agent = kind.make(domain.settings(kind.sections), data, seed)
    env = make_environment(domain.spec, domain.variations)
    source = in_process(env, stop_on_success=domain.algorithm.stop_on_success)
    loaded: Path | None = None

    def run(job: EpisodeJob) -> None:
        nonlocal loaded
        if loaded != job.state:
            agent.load_state(checkpoint.load(job.state)[0])
            loaded = job.state
        request = EpisodeRequest(
            job.number, job.phase, job.seed, agent, lambda _step: None, lambda: False
        )
        keep(job.directory, job.number, job.phase, source(request))

    return run
