"""Compares the stand-in with a real ROS 2: the same names, and the same processes started.

    python compare.py --real "COMMAND" [PACKAGE FILE [name:=value ...]]

COMMAND is the real `ros2` in an environment of its own (see the README). Every executable of every
package on AMENT_PREFIX_PATH is replaced by a recorder that writes down how it was called. A launch
file can thus be compared within seconds and without a robot or a GPU. Without PACKAGE the file
`features.launch.py` is compared, which uses everything that the stand-in supports.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
STANDIN = [str(Path(sys.executable).parent / "ros2")]
MODULES = [
    "launch",
    "launch.actions",
    "launch.conditions",
    "launch.event_handlers",
    "launch.events",
    "launch.events.process",
    "launch.launch_description_sources",
    "launch.substitutions",
    "launch_ros.actions",
    "launch_ros.descriptions",
    "launch_ros.parameter_descriptions",
    "launch_ros.substitutions",
]

# Run as a launch file, so that it imports the `launch` of that `ros2`. Writes every public class
# with the keywords of its constructor and of its bases' constructors.
SURFACE = """
import importlib, inspect, json
from launch import LaunchDescription

def keywords(thing):
    found = set()
    for base in thing.__mro__:
        if base.__module__.startswith("launch") and "__init__" in vars(base):
            parameters = inspect.signature(base.__init__).parameters.values()
            found.update(p.name for p in parameters)
            if all(p.kind != p.VAR_KEYWORD for p in parameters):
                break  # the base classes' keywords cannot be passed
    return sorted(found - {"kwargs", "left_over", "left_over_kwargs"})

def generate_launch_description():
    found = {}
    for name in %r:
        module = importlib.import_module(name)
        for word in getattr(module, "__all__", vars(module)):
            if inspect.isclass(getattr(module, word)):
                found[f"{name}.{word}"] = keywords(getattr(module, word))
    open(%r, "w").write(json.dumps(found))
    return LaunchDescription()
"""

# Replaces every executable: writes down its arguments, then ends by itself or by a signal.
RECORDER = """#!{python}
import json, os, sys, time
words = [word if not os.path.isfile(word) else open(word).read() for word in sys.argv[1:]]
environment = {{
    key: value for key, value in os.environ.items()
    if key not in {ignored!r} and not key.startswith("PYTHON")
}}
with open(os.path.join({folder!r}, str(os.getpid()) + ".json"), "w") as file:
    json.dump([sys.argv[0], words, os.getcwd(), environment], file)
try:
    time.sleep(1.0 if os.path.basename(sys.argv[0]) in {ends!r} else 60.0)
except KeyboardInterrupt:
    pass
raise SystemExit(len(sys.argv) if "--fail" in sys.argv else 0)
"""


class _Loader(yaml.SafeLoader):
    """A YAML loader that also reads the tuples that the real launch writes."""


def _sequence(loader: _Loader, node: yaml.Node) -> list[Any]:
    assert isinstance(node, yaml.SequenceNode)
    return loader.construct_sequence(node)


_Loader.add_constructor("tag:yaml.org,2002:python/tuple", _sequence)


def shadow(prefix: Path, folder: Path, ends: list[str]) -> None:
    """Make `prefix` an ament prefix with all packages, whose executables are recorders.

    Args:
        prefix: an empty directory.
        folder: where the recorders write.
        ends: names of the executables that end by themselves.
    """
    index = prefix / "share/ament_index/resource_index/packages"
    index.mkdir(parents=True)
    text = RECORDER.format(
        python=sys.executable,
        folder=str(folder),
        ignored=[*os.environ, "ROS_LOG_DIR"],
        ends=ends,
    )
    features = HERE / "standin_features"
    sources = [Path(p) for p in os.environ.get("AMENT_PREFIX_PATH", "").split(":") if p]
    packages = {
        p.name: s for s in reversed(sources) for p in (s / index.relative_to(prefix)).glob("*")
    }
    for name, source in packages.items():
        (index / name).touch()
        (prefix / "share" / name).symlink_to(source / "share" / name)
        for program in (source / "lib" / name).glob("*"):
            if program.is_file() and os.access(program, os.X_OK):
                _record(prefix / "lib" / name / program.name, text)
    (index / features.name).touch()
    (prefix / "share" / features.name).symlink_to(features)
    _record(prefix / "lib" / features.name / "node", text)


def _record(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def run(command: list[str], words: list[str], ends: list[str]) -> dict[str, Any]:
    """Launch with recorders instead of executables.

    Args:
        command: a `ros2` command.
        words: arguments of `ros2 launch`.
        ends: names of the executables that end by themselves.

    Returns:
        The exit code, the calls of the recorders, the launch's notices and its output.
    """
    with tempfile.TemporaryDirectory() as place:
        folder, prefix = Path(place, "calls"), Path(place, "prefix")
        folder.mkdir()
        shadow(prefix, folder, ends)
        environment = {k: v for k, v in os.environ.items() if k != "ROS_DISTRO"}
        environment |= {"AMENT_PREFIX_PATH": str(prefix), "ROS_LOG_DIR": place}
        done = subprocess.run(
            [*command, "launch", *words],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
        )
        calls = [json.loads(path.read_text()) for path in folder.glob("*.json")]
        for call in calls:
            call[0] = call[0].replace(str(prefix), "")
            texts = [word.replace(str(prefix), "") for word in call[1]]
            call[1] = [yaml.load(t, _Loader) if "ros__parameters" in t else t for t in texts]
        said = re.findall(r"\[INFO\] \[(\S+)\]: (?:process|sending)? ?(\w+)", done.stdout)
        return {
            "exit code": done.returncode,
            "calls": sorted(calls, key=str),
            "told": sorted({f"{name} {word}" for name, word in said if name != "launch"}),
            "output": done.stdout,
        }


def surface(command: list[str]) -> dict[str, list[str]]:
    """The public classes of that `ros2`'s launch, each with the keywords that it takes."""
    with tempfile.TemporaryDirectory() as place:
        answer, file = Path(place, "surface.json"), Path(place, "surface.launch.py")
        file.write_text(SURFACE % (MODULES, str(answer)))
        subprocess.run([*command, "launch", str(file), "-s"], check=True)
        found: dict[str, list[str]] = json.loads(answer.read_text())
        return found


def main() -> int:
    """Print every difference; return 0 if there is none, else 1."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--real", required=True, help="the real ros2, e.g. /opt/ros/.../bin/ros2")
    parser.add_argument("words", nargs="*", help="PACKAGE FILE [name:=value ...]")
    parser.add_argument(
        "--ends",
        action="append",
        default=["node"],
        metavar="EXECUTABLE",
        help="executable that ends by itself after a second; the others wait to be stopped",
    )
    arguments = parser.parse_args()
    real = shlex.split(arguments.real)
    words = arguments.words or ["standin_features", "features.launch.py", "given:=2.5"]
    problems = 0
    in_real, in_standin = surface(real), surface(STANDIN)
    for name, keywords in in_standin.items():
        known = in_real.get(name)
        extra = ["all of it"] if known is None else sorted(set(keywords) - set(known))
        if extra:
            problems += 1
            print(f"only the stand-in has {name}: {extra}")
    print(f"{len(in_standin)} names compared")
    real_run, standin_run = (run(command, words, arguments.ends) for command in (real, STANDIN))
    for key in ("exit code", "calls", "told"):
        texts = (json.dumps(r[key], indent=1, sort_keys=True) for r in (real_run, standin_run))
        left, right = texts
        if left != right:
            problems += 1
            print(
                f"{key}:",
                *difflib.unified_diff(
                    left.split("\n"), right.split("\n"), "real", "stand-in", lineterm="", n=2
                ),
                sep="\n",
            )
    print(f"{len(real_run['calls'])} processes compared, exit code {real_run['exit code']}")
    if problems:
        print("--- real\n", real_run["output"], "--- stand-in\n", standin_run["output"])
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
