"""Errors whose text is written for the person who made the mistake."""

from __future__ import annotations


class UserError(Exception):
    """A mistake that a user can correct. The text says what was wrong, where, and what to do.

    Command lines and nodes print the text without a traceback and exit with 2.
    """

    exit_code = 2

    def __init__(self, what: str, *, where: str = "", do: str = "") -> None:
        """Compose the text.

        Args:
            what: what was wrong.
            where: the file, parameter or place; empty if there is none to name.
            do: what the user can do about the mistake; empty if nothing can be said.
        """
        self.what, self.where, self.do = what, where, do
        parts = [f"{where}: {what}" if where else what]
        if do:
            parts.append(f"  -> {do}")
        super().__init__("\n".join(parts))


class ConfigError(UserError):
    """A configuration file, override or ROS parameter is not acceptable."""


class DataError(UserError):
    """A data set, checkpoint or recording is missing, damaged or of another kind."""
