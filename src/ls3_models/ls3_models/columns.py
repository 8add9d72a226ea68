"""Tensors that grow by rows."""

from __future__ import annotations

from torch import Tensor


class Column:
    """A tensor that grows by rows, in memory of its own.

    A small tensor for every episode instead would lie between the large ones of the encoder, so
    that the C library could not use their memory again: 16 MB an episode were lost.
    """

    def __init__(self, like: Tensor) -> None:
        """Begin without rows; rows have the shape and type of those in `like` (n, ...)."""
        self._memory = like.new_empty(1024, *like.shape[1:])
        self._rows = 0

    def __len__(self) -> int:
        return self._rows

    @property
    def values(self) -> Tensor:
        """All rows so far (n, ...)."""
        return self._memory[: self._rows]

    def extend(self, values: Tensor) -> None:
        """Append rows (m, ...)."""
        rows = self._rows + len(values)
        if rows > len(self._memory):
            larger = self._memory.new_empty(max(rows, 2 * len(self._memory)), *values.shape[1:])
            larger[: self._rows] = self.values
            self._memory = larger
        self._memory[self._rows : rows] = values
        self._rows = rows
