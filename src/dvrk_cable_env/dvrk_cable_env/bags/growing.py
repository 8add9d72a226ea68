"""Follows a bag while it is recorded: which messages have reached the disk. Reads MCAP only."""

from __future__ import annotations

import contextlib
import os
import struct
from pathlib import Path
from typing import IO

from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.records import Channel, Chunk
from mcap.stream_reader import breakup_chunk

MAGIC = 8
"""Bytes before the first record of a file."""
HEAD = struct.Struct("<BQ")
"""Opcode and length of a record."""


class GrowingBag:
    """The recording in one directory, which need not exist yet.

    newest: when the newest message on the disk was recorded, by topic, ns of the recorder's clock.
    size: of all files, bytes.
    """

    def __init__(self, directory: Path) -> None:
        """Follow the bag in `directory`; nothing is read before `look`."""
        self.newest: dict[str, int] = {}
        self.size = 0
        self._directory = directory
        self._files: dict[Path, _File] = {}

    def look(self) -> None:
        """Read what was added since the last look. Content that is not needed is skipped."""
        self.size = 0
        for path in sorted(self._directory.glob("*.mcap")):
            file = self._files.setdefault(path, _File(path))
            with contextlib.suppress(OSError, McapError, struct.error, ValueError):
                file.read(self.newest)
            self.size += file.size


class _File:
    def __init__(self, path: Path) -> None:
        self.size = 0
        self._path, self._at = path, MAGIC
        self._topics: dict[int, str] = {}
        self._unread: list[int] = []  # where the chunks are of which only the index was read

    def read(self, newest: dict[str, int]) -> None:
        with self._path.open("rb") as stream:
            self.size = os.fstat(stream.fileno()).st_size
            while self._at + HEAD.size <= self.size:
                stream.seek(self._at)
                opcode, length = HEAD.unpack(stream.read(HEAD.size))
                end = self._at + HEAD.size + length
                if end > self.size:  # the rest of the record is not written yet
                    return
                self._take(opcode, length, stream, newest)
                self._at = end

    def _take(self, opcode: int, length: int, stream: IO[bytes], newest: dict[str, int]) -> None:
        if opcode == Opcode.CHUNK:  # its messages are listed in the records that follow
            self._unread.append(self._at)
        elif opcode == Opcode.CHANNEL:
            channel = Channel.read(ReadDataStream(stream))
            self._topics[channel.id] = channel.topic
        elif opcode == Opcode.MESSAGE:
            number, _, log = struct.unpack("<HIQ", stream.read(14))
            self._note(number, log, stream, newest)
        elif opcode == Opcode.MESSAGE_INDEX:
            body = stream.read(length)
            logs = [log for log, _ in struct.iter_unpack("<QQ", body[6:])]
            if logs:
                self._note(int.from_bytes(body[:2], "little"), max(logs), stream, newest)

    def _note(self, number: int, log: int, stream: IO[bytes], newest: dict[str, int]) -> None:
        if number not in self._topics:  # its channel may stand in any chunk before this message
            for chunk in self._unread:
                stream.seek(chunk + HEAD.size)
                for record in breakup_chunk(Chunk.read(ReadDataStream(stream))):
                    if isinstance(record, Channel):
                        self._topics[record.id] = record.topic
            self._unread.clear()
        if topic := self._topics.get(number):
            newest[topic] = max(log, newest.get(topic, 0))
