"""Actions that start nodes, and that set namespace and parameters for the nodes of a scope."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from launch import logging
from launch.action import Action
from launch.actions import ExecuteProcess
from launch.substitution import SomeSubstitutionsType, resolve
from launch_ros.parameter_descriptions import ParameterFile, evaluate_dict
from ros2_standin.packages import executable_path

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext

__all__ = ["Node", "PushRosNamespace", "SetParameter"]

_names: Counter[str] = Counter()


class Node(ExecuteProcess):
    """Starts a ROS node: an executable of a package with ROS arguments, as in `launch_ros`."""

    def __init__(
        self,
        *,
        executable: SomeSubstitutionsType,
        package: SomeSubstitutionsType | None = None,
        name: SomeSubstitutionsType | None = None,
        namespace: SomeSubstitutionsType | None = None,
        exec_name: SomeSubstitutionsType | None = None,
        parameters: list[Any] | None = None,
        remappings: Iterable[tuple[SomeSubstitutionsType, SomeSubstitutionsType]] = (),
        ros_arguments: Iterable[SomeSubstitutionsType] = (),
        arguments: Iterable[SomeSubstitutionsType] = (),
        **kwargs: Any,
    ) -> None:
        if parameters is not None and not isinstance(parameters, list):
            raise TypeError(f"parameters must be a list, not {parameters!r}")
        super().__init__(cmd=[executable, *arguments], name=exec_name, **kwargs)
        self._package, self._node_name, self._namespace = package, name, namespace
        self._parameters, self._remappings = parameters or [], list(remappings)
        self._ros_arguments = list(ros_arguments)

    def execute(self, context: LaunchContext) -> None:
        """Find the executable, add the ROS arguments and start the process."""
        if not self._executed:
            if self._package is not None:
                names = resolve(context, self._package), resolve(context, self.cmd[0])
                self.cmd[0] = str(executable_path(*names))
            self.cmd += self._ros_words(context)
        super().execute(context)

    def _ros_words(self, context: LaunchContext) -> list[Any]:
        """The ROS arguments in the real launch's order: later ones take precedence."""
        words: list[Any] = ["--ros-args", *self._ros_arguments] if self._ros_arguments else []
        words.append("--ros-args")
        name = None if self._node_name is None else resolve(context, self._node_name)
        given = None if self._namespace is None else resolve(context, self._namespace)
        namespace = join_namespaces(context.launch_configurations.get("ros_namespace"), given)
        if name is not None:
            words += ["-r", f"__node:={name}"]
        if namespace is not None:
            words += ["-r", f"__ns:={namespace}"]
        for key, value in context.launch_configurations.get("global_params", []):
            words += ["-p", f"{key}:={value}"]
        full_name = "/**"
        if name is not None and namespace is not None:
            full_name = f"{namespace.rstrip('/')}/{name}"
            _names[full_name] += 1
            if _names[full_name] > 1:
                logging.get_logger().warning(
                    f"there are now at least {_names[full_name]} nodes with the name {full_name} "
                    "created within this launch context"
                )
        for item in self._parameters:
            path = _parameter_file(context, item, full_name)
            if path.is_file():
                words += ["--params-file", str(path)]
            else:
                logging.get_logger().warning(f"Parameter file path is not a file: {path}")
        for source, target in self._remappings:
            words += ["-r", f"{resolve(context, source)}:={resolve(context, target)}"]
        return words


def _parameter_file(context: LaunchContext, item: Any, node: str) -> Path:
    """The given file; or a file in the log directory, written from the values of a dict."""
    if not isinstance(item, Mapping):
        return (item if isinstance(item, ParameterFile) else ParameterFile(item)).evaluate(context)
    values = evaluate_dict(context, item)
    with tempfile.NamedTemporaryFile(
        "w", prefix="launch_params_", dir=logging.log_dir, delete=False
    ) as file:
        yaml.safe_dump({node: {"ros__parameters": values}}, file)
    return Path(file.name)


def join_namespaces(base: str | None, namespace: str | None) -> str | None:
    """Return `namespace` as an absolute name, below `base` unless it is absolute already.

    Returns:
        None if both are None.
    """
    if base is None and namespace is None:
        return None
    if namespace is None or (base and not namespace.startswith("/")):
        namespace = f"{(base or '').rstrip('/')}/{namespace or ''}"
    return "/" + namespace.strip("/")


class PushRosNamespace(Action):
    """Sets the namespace of the nodes that start after it in the same scope."""

    def __init__(self, namespace: SomeSubstitutionsType, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.namespace = namespace

    def execute(self, context: LaunchContext) -> None:
        """Set the namespace, below the present one."""
        configurations = context.launch_configurations
        configurations["ros_namespace"] = join_namespaces(
            configurations.get("ros_namespace"), resolve(context, self.namespace)
        )


class SetParameter(Action):
    """Sets a parameter, e.g. use_sim_time, of all nodes that start after it."""

    def __init__(self, name: SomeSubstitutionsType, value: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.name, self.value = name, value

    def execute(self, context: LaunchContext) -> None:
        """Set the parameter."""
        pairs = evaluate_dict(context, {resolve(context, self.name): self.value})
        # one list for all scopes: what a group adds stays set, as in the real launch
        shared = context.launch_configurations.setdefault("global_params", [])
        shared.extend(pairs.items())
