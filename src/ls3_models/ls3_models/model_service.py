"""The model of a node: loaded at its start, and changed without a restart by `~/load_model`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from rclpy.node import Node

from ls3_common import ros
from ls3_common.errors import DataError
from ls3_common.model_facts import refuse_other_domain
from ls3_interfaces.srv import LoadModel
from ls3_models.bundle import Bundle, load_bundle
from ls3_models.frame_guard import encoder_identity


def load_for(node: Node, path: str, domain: str) -> Bundle:
    """Load the bundle that a node starts with.

    Args:
        node: the node, whose parameter file states the facts of the domain.
        path: directory of the bundle.
        domain: name of the domain; empty: the name is not compared.

    Raises:
        DataError: there is no bundle, or the bundle is one of another domain.
    """
    bundle = load_bundle(path)
    refuse_other_domain(bundle, domain, ros.facts(node), path)
    return bundle


def with_guard_of(bundle: Bundle, present: Bundle) -> Bundle:
    """Return `bundle`, if it has no guard on frames with that of a bundle of the same encoder.

    Learning online changes everything but the encoder, so that its models need no guard anew.
    """
    guard = present.guard
    if bundle.guard is not None or guard is None:
        return bundle
    if guard.encoder != encoder_identity(bundle.models):
        return bundle
    return replace(bundle, guard=guard)


class ModelService:
    """Loads a bundle, checks that it is of the same domain as the one in use, and hands it over.

    path: directory of the newest bundle that was loaded; empty before the first.

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
        self.path = ""
        node.create_service(LoadModel, "~/load_model", self._load)

    def _load(self, request: LoadModel.Request, response: LoadModel.Response) -> LoadModel.Response:
        try:
            response.message = self._busy()
            if not response.message:
                self._replace(request.path)
        except DataError as error:
            response.message = str(error)
        response.ok = not response.message
        response.identity = self._present().identity
        if response.ok:
            self._node.get_logger().info(f"model {response.identity} from {request.path}")
        else:
            self._node.get_logger().error(f"model not changed: {response.message}")
        return response

    def _replace(self, path: str) -> None:
        bundle, present = load_bundle(path), self._present()
        refuse_other_domain(bundle, present.domain, present, path)
        self._use(with_guard_of(bundle, present))
        self.path = path
