"""Visits the entities of a launch, then dispatches events until no process runs."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterable

from launch import logging
from launch._guardian import Guardian
from launch.action import LaunchDescriptionEntity, as_entities
from launch.event import Event
from launch.events import Shutdown
from launch.launch_context import LaunchContext
from launch.launch_description import LaunchDescription


class LaunchService:
    """Runs launch descriptions to their end."""

    def __init__(self, *, argv: Iterable[str] = ()) -> None:
        self.context = LaunchContext(argv=argv)
        self._description = LaunchDescription()
        self._logger = logging.get_logger()
        self._return_code = 0

    def include_launch_description(self, launch_description: LaunchDescription) -> None:
        """Add a description, before `run`."""
        self._description.add_entity(launch_description)

    def run(self) -> int:
        """Run until everything has ended.

        Returns:
            0, or 1 after an error in the launch itself or after SIGTERM. The processes' exit codes
            do not matter, as in the real launch.
        """
        logging.open_log()
        self.context.guardian = Guardian()
        try:
            asyncio.run(self._run())
        finally:
            self.context.guardian.close()
        return self._return_code

    async def _run(self) -> None:
        context = self.context
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            loop.add_signal_handler(number, self._on_signal, number)
        context.queue.put_nowait([self._description])
        while True:
            if context.queue.empty() and not context.pending:
                if context.is_shutdown:
                    return
                context.emit_event_sync(Shutdown(reason="idle"))
            item = await context.queue.get()
            try:
                if isinstance(item, asyncio.Task):
                    context.pending.discard(item)
                    item.result()
                elif isinstance(item, Event):
                    self._dispatch(item)
                else:
                    self._visit(item)
            except Exception as error:
                self._logger.error(
                    f"Caught exception in launch (see debug for traceback): {one_line(error)}",
                    exc_info=True,
                )
                self._return_code = 1
                context.emit_event_sync(Shutdown(reason=str(error)))

    def _visit(self, entities: Iterable[LaunchDescriptionEntity]) -> None:
        for entity in entities:
            self._visit(as_entities(entity.visit(self.context)))

    def _dispatch(self, event: Event) -> None:
        context = self.context
        if isinstance(event, Shutdown):
            if context.is_shutdown:
                return
            context.is_shutdown = True
        context.locals.event = event
        for handler in tuple(context.event_handlers):
            if handler.matches(event):
                self._visit(handler.handle(event, context))

    def _on_signal(self, number: signal.Signals) -> None:
        if self.context.is_shutdown:
            self._logger.warning(f"user interrupted with {number.name} again, ignoring...")
            return
        if number == signal.SIGINT:
            self._logger.warning("user interrupted with ctrl-c (SIGINT)")
        else:
            self._logger.error(f"user interrupted with {number.name}, terminating...")
            self._return_code = 1
        self.context.emit_event_sync(
            Shutdown(reason=number.name, due_to_sigint=number == signal.SIGINT)
        )


def one_line(error: BaseException) -> str:
    """Describe an exception in one line, with its class if the text alone says too little."""
    text = " ".join(str(error).split())
    plain = isinstance(error, RuntimeError | ImportError | OSError) and text
    return text if plain else f"{type(error).__name__}: {text}"
