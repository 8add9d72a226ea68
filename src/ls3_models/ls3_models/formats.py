"""Numbered file formats. Files of older formats are migrated, files of newer formats refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ls3_common.errors import DataError

Content = dict[str, Any]
"""The content of a file, by the names in the file."""


@dataclass(frozen=True)
class Format:
    """The format of one kind of file.

    A file carries the mark ``ls3-<kind>-<number>``. The number grows by one with every change that
    an earlier program could not read. Every change comes with a migration.

    Attributes:
        kind: the kind of file, for instance 'episode'.
        migrations: for each number n from 1, a function that turns the content of a file of format
            n into that of format n + 1. The last migration leads to the newest format.
    """

    kind: str
    migrations: Mapping[int, Callable[[Content], Content]]

    @property
    def newest(self) -> int:
        """Number of the newest format, in which files are written."""
        return len(self.migrations) + 1

    @property
    def mark(self) -> str:
        """The mark of the newest format."""
        return f"ls3-{self.kind}-{self.newest}"

    def number(self, mark: object, where: str) -> int:
        """Return the format number in a file's `mark`. Check it before reading anything else.

        Raises:
            DataError: the file is of a newer format, or has no mark of this kind; the text names
                the file `where` the mark was found.
        """
        found = re.fullmatch(rf"ls3-{self.kind}-([1-9]\d{{0,5}})", str(mark))
        if found is None:
            raise DataError(
                f"not an LS3 {self.kind}: the mark '{self.mark}' is missing", where=where
            )
        number = int(found[1])
        if number > self.newest:
            raise DataError(
                f"made by a newer version: format {number}, this one reads up to {self.newest}",
                where=where,
                do="update this program",
            )
        return number

    def migrated(self, content: Content, number: int) -> Content:
        """Turn the content of a file of format `number` into that of the newest format.

        If the content is damaged, the exceptions of the migrations are passed on.
        """
        for step in range(number, self.newest):
            content = self.migrations[step](content)
        return content
