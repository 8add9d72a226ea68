"""The files of one bag: which they are, in which order, and the messages of a single file."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml
import zstandard
from mcap.records import Channel, Message, Schema
from mcap.stream_reader import StreamReader
from rosbags.interfaces import MessageDefinitionFormat
from rosbags.rosbag2 import Reader

from ls3_common.errors import DataError
from ls3_common.files import naming
from ls3_common.system_errors import refuse_pointer, unreadable

SUFFIXES = (".mcap", ".db3")
PACKED = ".zstd"
"""What `ros2 bag record --compression-mode file` appends to the suffix of a file."""
FRAME = b"\x28\xb5\x2f\xfd"
"""How a message begins that was compressed by itself. No message in CDR begins like this."""
BLOCK = 1 << 20
"""Bytes that are unpacked at once."""
Note = Callable[[str, str, str, bool], None]
"""Takes a topic, its type, the definition of the type, and whether the definition is IDL."""


class Raw(NamedTuple):
    """One message as stored in the bag.

    topic: full name; log: when it was recorded, ns by the recorder's clock; data: CDR bytes.
    """

    topic: str
    log: int
    data: bytes


def find(path: Path) -> list[Path]:
    """Return the files of the bag at `path`, each of which can be opened.

    Raises:
        DataError: there is no bag, or a file of the bag cannot be read or is a pointer of Git LFS.
    """
    try:
        names = os.listdir(path)
        found = [path / name for name in names]
    except FileNotFoundError:
        found = []
    except NotADirectoryError:
        found = [path]
    except OSError as error:
        raise unreadable(path, error) from None
    # a recorder that is killed while it compresses leaves the file and a part of the compressed one
    found = [
        file
        for file in found
        if _is_storage(file.name) and not (is_packed(file) and file.with_suffix("") in found)
    ]
    if not found:
        do = "give the directory that `ros2 bag record` made, or one .mcap or .db3 file"
        raise DataError("no bag here", where=f"{path}", do=do)
    for file in found:
        try:
            with file.open("rb") as stream:
                refuse_pointer(stream.read(1024), file)
        except OSError as error:
            raise unreadable(file, error) from None
    return sorted(found, key=_by_number)


def missing(path: Path) -> list[str]:
    """Return the files that the metadata of the bag at `path` name, and that are not there."""
    try:
        document = yaml.safe_load((path / "metadata.yaml").read_text())
        names = document["rosbag2_bagfile_information"]["relative_file_paths"]
        return [name for name in names if not (path / Path(name).name).exists()]
    except Exception:  # damaged bytes make a parser raise almost any exception
        return []  # the files themselves are read in any case


def plain_stem(file: Path) -> str:
    """Return the name of a file without its suffixes."""
    return Path(file.name.removesuffix(PACKED)).stem


def is_packed(file: Path) -> bool:
    """Whether the whole file is compressed."""
    return file.suffix == PACKED


def in_order(files: Sequence[Path]) -> list[Path]:
    """Return the files of a bag in the order of recording.

    Names that differ in numbers only, as the recorder gives them, are in the order of the numbers.
    Otherwise somebody has renamed the files, and the time of the first message decides.
    """
    if len({re.sub(r"\d+", "", plain_stem(file)) for file in files}) <= 1:
        return sorted(files, key=_by_number)
    return sorted(files, key=lambda file: (_first_log(file), _by_number(file)))


def messages(file: Path, topics: Collection[str] | None, note: Note) -> Iterator[Raw]:
    """Yield the messages that precede any damage of a file, and note all topics.

    Args:
        file: of a bag.
        topics: whose messages are wanted; None: all.
        note: is called with each topic.

    Raises:
        Exception: whatever the damage makes the library raise.
    """
    with contextlib.ExitStack() as stack:
        damage = None
        if is_packed(file):
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="bag_"))
            plain = Path(folder, file.stem)
            damage = _unpack(file, plain)
            file = plain
        for raw in _messages(file, topics, note):
            yield raw._replace(data=unpacked(raw.data))
        if damage is not None:
            raise damage


def unpacked(data: bytes) -> bytes:
    """Return the data of a message, which the recorder may have compressed by itself.

    Damaged data become empty, and no message can be decoded from them.
    """
    if not data.startswith(FRAME):
        return data
    try:
        return zstandard.ZstdDecompressor().decompressobj().decompress(data)
    except zstandard.ZstdError:
        return b""


def is_idl(definition: Any) -> bool:
    """Whether a definition of a type is written in IDL, as opposed to ROS's own .msg."""
    return bool(definition.format == MessageDefinitionFormat.IDL)


def _messages(file: Path, topics: Collection[str] | None, note: Note) -> Iterator[Raw]:
    if file.suffix == ".db3":
        with Reader(file) as reader:
            for one in reader.storage.connections:
                note(one.topic, one.msgtype, one.msgdef.data, is_idl(one.msgdef))
            known = reader.storage.connections
            chosen = [c for c in known if topics is None or c.topic in topics]
            if chosen:
                for connection, log, data in reader.messages(chosen):
                    yield Raw(connection.topic, log, data)
        return
    schemas: dict[int, Schema] = {}
    channels: dict[int, str] = {}
    with file.open("rb") as stream:
        for record in StreamReader(stream).records:
            if isinstance(record, Schema):
                schemas[record.id] = record
            elif isinstance(record, Channel):
                schema = schemas[record.schema_id]
                note(record.topic, schema.name, schema.data.decode(), schema.encoding == "ros2idl")
                channels[record.id] = record.topic
            elif isinstance(record, Message):
                topic = channels[record.channel_id]
                if topics is None or topic in topics:
                    yield Raw(topic, record.log_time, record.data)


def _unpack(packed: Path, plain: Path) -> Exception | None:
    """Unpack a file as far as possible; return the damage that ended it.

    Raises:
        OSError: the disk for temporary files is full.
    """
    unpacker = zstandard.ZstdDecompressor()
    with (
        naming(plain),
        packed.open("rb") as file,
        plain.open("wb") as out,
        unpacker.stream_reader(file, read_across_frames=True) as stream,
    ):
        while True:
            try:
                block = stream.read(BLOCK)
            except zstandard.ZstdError as error:
                return error
            if not block:  # a file that breaks off ends here as well; its content shows that
                return None
            out.write(block)


def _first_log(file: Path) -> int:
    """When the first message of a file was recorded (log, ns); 0 if none can be read."""
    with contextlib.suppress(Exception):  # whatever damaged bytes make a reader raise
        for raw in messages(file, None, lambda *_: None):
            return raw.log
    return 0


def _is_storage(name: str) -> bool:
    return not name.startswith(".") and name.removesuffix(PACKED).endswith(SUFFIXES)


def _by_number(file: Path) -> list[tuple[bool, int, str]]:
    """A key by which lab_2 comes before lab_10."""
    parts = re.split(r"(\d+)", plain_stem(file))
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]
