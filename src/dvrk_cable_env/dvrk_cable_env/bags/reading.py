"""Reads a bag, complete or cut off, as one stream of raw messages. Nothing here writes to a bag.

A bag is MCAP or sqlite3, a directory with metadata.yaml, a directory without (the recorder was
killed), or a single file. `rosbags` reads a complete bag. Otherwise the files are read one after
the other (`bag_files`), and of a damaged file what precedes the damage.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore

from dvrk_cable_env.bags import bag_files
from dvrk_cable_env.bags.bag_files import Raw, is_idl
from ls3_common.errors import DataError

SAMPLE = 1 << 20
"""Bytes at each end of a file that enter the file's fingerprint."""


class Bag:
    """A bag on disk: the recorded messages of a robot, read in the order of recording.

    path, files: of the bag.
    topics: type of each topic, by full name.
    cut: why the recording is incomplete; empty if complete. Damage inside a file is known only
        once `messages` has reached it.
    name: of the bag's directory, or of its file without the suffix.
    """

    def __init__(self, path: Path) -> None:
        """Open the bag at `path`.

        Raises:
            DataError: there is no bag at `path`, or nothing in the bag can be read.
        """
        self.path = path
        self.files = bag_files.find(path)
        self.name = bag_files.plain_stem(path) if path.is_file() else path.resolve().name
        self.topics: dict[str, str] = {}
        self.cut = ""
        self._types = get_typestore(Stores.ROS2_KILTED)
        self._definitions: dict[str, tuple[bool, str]] = {}  # type: (is IDL, text)
        # the library would unpack all files of a bag at once
        self._one_by_one = any(map(bag_files.is_packed, self.files))
        if path.is_dir() and not (path / "metadata.yaml").exists():
            self.cut = "no metadata.yaml: the recorder was killed"
        elif gone := bag_files.missing(path):
            self.cut = f"files of the bag are missing: {', '.join(gone)}"
        if not self._one_by_one:
            try:
                with Reader(path) as reader:
                    for connection in reader.topics.values():
                        for one in connection.connections:
                            self._note(one.topic, one.msgtype, one.msgdef.data, is_idl(one.msgdef))
            except Exception as error:  # damaged bytes make a reader raise almost any exception
                self._one_by_one = True
                self.cut = self.cut or _fault(error)
        if self._one_by_one:
            self._survey()
        if not self.topics:
            raise DataError(
                f"nothing can be read: {self.cut or 'the bag is empty'}", where=f"{path}"
            )

    def fingerprint(self) -> str:
        """12 hexadecimal digits of a hash over names, sizes and both ends of the bag's files."""
        digest = hashlib.sha256()
        for file in self.files:
            sample(digest, file)
        return digest.hexdigest()[:12]

    def messages(self, topics: Collection[str]) -> Iterator[Raw]:
        """Yield the messages of these topics. Damage ends the stream and sets `cut`."""
        try:
            if self._one_by_one:
                for file in self.files:
                    yield from bag_files.messages(file, topics, self._note)
                return
            with Reader(self.path) as reader:
                chosen = [c for c in reader.storage.connections if c.topic in topics]
                if chosen:
                    for connection, log, data in reader.messages(chosen):
                        yield Raw(connection.topic, log, bag_files.unpacked(data))
        except Exception as error:  # as above; what the caller raises does not come here
            self.cut = self.cut or _fault(error)

    def decode(self, raw: Raw) -> Any:
        """Return the message with its fields as attributes.

        Raises:
            ValueError: the bytes are not of the topic's type, or the type is unknown.
        """
        kind = self.topics[raw.topic]
        try:
            self._register(kind)
        except ValueError:
            raise
        except Exception as error:  # damaged definitions make the parser raise almost anything
            raise ValueError(f"no definition of {kind} ({_one_line(error)})") from None
        try:
            return self._types.deserialize_cdr(raw.data, kind)
        except Exception as error:  # struct, index and type errors, depending on the bytes
            raise ValueError(f"not a {kind} ({_one_line(error)})") from None

    def _note(self, topic: str, kind: str, definition: str, is_idl: bool) -> None:
        self.topics[topic] = kind
        if definition:
            self._definitions[kind] = is_idl, definition

    def _survey(self) -> None:
        """Note the topics of what can still be read, and why the rest cannot be read."""
        for file in self.files:
            try:
                for _ in bag_files.messages(file, (), self._note):
                    pass
            except Exception as error:  # whatever damaged bytes make a reader raise
                self.cut = f"{file.name}: {_fault(error, 'cut off or damaged')}"
        self.files = bag_files.in_order(self.files)

    def _register(self, kind: str) -> None:
        """Register a type: known to the library, defined in the bag, or installed."""
        if kind in self._types.fielddefs:
            return
        is_idl, text = self._definitions.get(kind) or (False, installed_definition(kind))
        found = get_types_from_idl(text) if is_idl else get_types_from_msg(text, kind)
        known = self._types.fielddefs
        self._types.register({name: fields for name, fields in found.items() if name not in known})


def sample(digest: Any, file: Path) -> None:
    """Update a hash (hashlib) with a file's name, its size and `SAMPLE` bytes from each end."""
    size = file.stat().st_size
    digest.update(f"{file.name} {size} ".encode())
    with file.open("rb") as stream:
        digest.update(stream.read(SAMPLE))
        stream.seek(max(0, size - SAMPLE))
        digest.update(stream.read())


def installed_definition(kind: str) -> str:
    """The definition of a type in the sourced workspace: bags of Humble and older have none.

    The library must know the types of the fields.
    """
    package, _, name = kind.split("/")
    for prefix in filter(None, os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)):
        path = Path(prefix) / "share" / package / "msg" / f"{name}.msg"
        if path.is_file():
            return path.read_text()
    raise ValueError(f"the bag does not define {kind}, nor does the sourced workspace")


def _fault(error: Exception, damage: str = "damaged") -> str:
    """What is wrong with a file: damage, unless it was the system that did not let us read."""
    from_system = isinstance(error, OSError) and error.errno is not None
    return f"{'cannot be read' if from_system else damage} ({_one_line(error)})"


def _one_line(error: Exception) -> str:
    """The text of an exception, on one line and short enough for a table."""
    text = " ".join(str(error).split())[:120]
    return text or type(error).__name__
