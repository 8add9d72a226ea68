"""Base class of what happens while launching."""


class Event:
    """Something that event handlers may react to."""
