"""Numbered file formats: files of an older number are migrated, those of a newer one refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ls3_common.errors import DataError

Content = dict[str, Any]
"""What a file holds, by the file's own names."""


@dataclass(frozen=True)
class Format:
    """The format of one kind of file.

    A file bears the mark ``ls3-<kind>-<number>``. The number grows by one with every change that
    a program of before could not read, and each change comes with a migration.

    kind: of file, 'episode' for instance.
    migrations: by number n, a function that turns the content of a file of format n into that of
        format n + 1. Formats are numbered from 1; the newest is that after the last migration.
    """

    kind: str
    migrations: Mapping[int, Callable[[Content], Content]]

    @property
    def newest(self) -> int:
        """The number that is written."""
        return len(self.migrations) + 1

    @property
    def mark(self) -> str:
        """What a newly written file bears."""
        return f"ls3-{self.kind}-{self.newest}"

    def number(self, mark: object, where: str) -> int:
        """The number of a file that bears this mark; to be asked before anything else is read.

        Raises:
            DataError: the file is of a newer format, or of no format of this kind.
        """
        found = re.fullmatch(rf"ls3-{self.kind}-([1-9]\d{{0,5}})", str(mark))
        if found is None:
            raise DataError(f"no {self.kind} of ours: it lacks the mark '{self.mark}'", where=where)
        number = int(found[1])
        if number > self.newest:
            raise DataError(
                f"made by a newer version: format {number}, this one reads up to {self.newest}",
                where=where,
                do="update this program",
            )
        return number

    def migrated(self, content: Content, number: int) -> Content:
        """Content of the newest format, from that of a file of format `number`.

        Raises what the migrations raise of content that is damaged.
        """
        for step in range(number, self.newest):
            content = self.migrations[step](content)
        return content
