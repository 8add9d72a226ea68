"""Stands in for crtk_python_client where there is none: what DvrkArm uses of it."""

from __future__ import annotations

from typing import Any


class ral:  # noqa: N801, the name of the real one
    """Publishers and subscriptions on a node that it is given."""

    def __init__(self, node_name: str, namespace: str = "", node: Any = None) -> None:
        assert node is not None and node_name == node.get_name()
        self.node = node
