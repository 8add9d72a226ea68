"""The service `~/load_model`, which changes a node's trained model without a restart."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.node import Node

from ls3_common.errors import DataError
from ls3_interfaces.srv import LoadModel
from ls3_models.bundle import Bundle, load_bundle


class ModelService:
    """Loads a bundle, checks that its sizes are those of the bundle in use, and hands it over.

    Args:
        node: the node that offers the service.
        present: returns the bundle in use.
        use: receives the new bundle, if its domain, images and actions are the same.
        busy: returns why the model must not be changed now; empty if it may.
    """

    def __init__(
        self,
        node: Node,
        present: Callable[[], Bundle],
        use: Callable[[Bundle], None],
        busy: Callable[[], str] = lambda: "",
    ) -> None:
        self._node, self._present, self._use, self._busy = node, present, use, busy
        node.create_service(LoadModel, "~/load_model", self._load)

    def _load(self, request: LoadModel.Request, response: LoadModel.Response) -> LoadModel.Response:
        try:
            response.message = self._busy() or self._replace(request.path)
        except DataError as error:
            response.message = str(error)
        response.ok = not response.message
        response.identity = self._present().identity
        if response.ok:
            self._node.get_logger().info(f"model {response.identity} from {request.path}")
        else:
            self._node.get_logger().error(f"model not changed: {response.message}")
        return response

    def _replace(self, path: str) -> str:
        bundle, present = load_bundle(path), self._present()
        for name in ("domain", "observation_shape", "action_low", "action_high"):
            new, old = getattr(bundle, name), getattr(present, name)
            if new != old:
                return f"{path}: {name} is {new}, that of the model in use is {old}"
        self._use(bundle)
        return ""
