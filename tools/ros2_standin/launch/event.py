"""Base class of launch events."""


class Event:
    """Something that happens during a launch and that event handlers may react to."""
