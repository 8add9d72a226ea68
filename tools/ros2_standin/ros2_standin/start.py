"""`ros2 launch` and `ros2 run`."""

from __future__ import annotations

import argparse
import difflib
import logging
import os
from typing import TYPE_CHECKING, Any

from ros2_standin import NAME, StandinError
from ros2_standin.packages import executable_path, launch_file_path

if TYPE_CHECKING:
    from launch.launch_description import LaunchArguments

# configurations that need no declaration; see launch/actions/execute_process.py
_ALWAYS = ("sigterm_timeout", "sigkill_timeout")


def add_commands(commands: Any) -> None:
    """Add `launch` and `run` to an argparse parser."""
    launch = commands.add_parser("launch", help="run a launch file")
    launch.add_argument("-s", "--show-args", "--show-arguments", action="store_true")
    launch.add_argument("-d", "--debug", action="store_true", help="show tracebacks")
    launch.add_argument("-n", "--noninteractive", action="store_true", help="no effect")
    launch.add_argument("-a", "--show-all-subprocesses-output", action="store_true")
    launch.add_argument("package", help="package, or path of a launch file")
    launch.add_argument("words", nargs="*", help="[launch file] name:=value ...")
    launch.set_defaults(command=run_launch)
    run = commands.add_parser("run", help="run an executable of a package")
    run.add_argument("package")
    run.add_argument("executable")
    run.add_argument("words", nargs=argparse.REMAINDER, help="arguments of the executable")
    run.set_defaults(command=run_executable)


def run_executable(arguments: argparse.Namespace) -> int:
    """Replace this process by the executable, so that signals and exit code are its own.

    Raises:
        StandinError: the package or the executable is not found.
    """
    path = str(executable_path(arguments.package, arguments.executable))
    os.execv(path, [path, *arguments.words])


def run_launch(arguments: argparse.Namespace) -> int:
    """Launch a file of a package or at a path.

    Raises:
        StandinError: the file is not found or faulty, or an argument is malformed or undeclared.
    """
    from launch import LaunchContext, LaunchDescription, LaunchService
    from launch.actions import IncludeLaunchDescription
    from launch.launch_description_sources import PythonLaunchDescriptionSource
    from launch.launch_service import one_line

    words = list(arguments.words)
    if os.path.isfile(arguments.package):
        path = arguments.package
    elif words and ":=" not in words[0]:
        path = str(launch_file_path(arguments.package, words.pop(0)))
    else:
        raise StandinError(f"no launch file given, and '{arguments.package}' is not one")
    given = _parse(words)
    source = PythonLaunchDescriptionSource(path)
    try:
        declared = source.get_launch_description(LaunchContext()).get_launch_arguments()
    except Exception as error:
        if arguments.debug:
            raise
        hint = f"; the {NAME} has a part of launch only" if isinstance(error, ImportError) else ""
        raise StandinError(f"launch file '{path}': {one_line(error)}{hint}") from error
    if arguments.show_args:
        _show(declared)
        return 0
    _check(given, declared, path)
    if arguments.show_all_subprocesses_output:
        os.environ["OVERRIDE_LAUNCH_PROCESS_OUTPUT"] = "both"
    service = LaunchService(argv=words)
    logging.getLogger("launch").setLevel(logging.DEBUG if arguments.debug else logging.INFO)
    include = IncludeLaunchDescription(source, launch_arguments=given.items())
    service.include_launch_description(LaunchDescription([include]))
    return service.run()


def _parse(words: list[str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for word in words:
        name, separator, value = word.partition(":=")
        if not (name and separator and value):
            raise StandinError(
                f"malformed launch argument '{word}', expected format '<name>:=<value>'"
            )
        given[name] = value  # the last value counts, as in the real launch
    return given


def _check(given: dict[str, str], declared: LaunchArguments, path: str) -> None:
    """Refuse undeclared arguments, which the real launch ignores."""
    for name in given:
        if name not in declared and name not in _ALWAYS:
            close = difflib.get_close_matches(name, declared, n=1)
            hint = f"did you mean '{close[0]}'? " if close else ""
            raise StandinError(
                f"'{os.path.basename(path)}' has no launch argument '{name}' "
                f"({hint}valid: {', '.join(declared) or 'none'})"
            )


def _show(declared: LaunchArguments) -> None:
    from launch.substitution import describe

    print("Arguments (pass arguments as '<name>:=<value>'):")
    for name, (argument, conditional) in declared.items():
        print(f"\n    '{name}':{'*' if conditional else ''}\n        {argument.description}")
        if argument.default_value is not None:
            print(f"        (default: {describe(argument.default_value)})")
    if any(conditional for _, conditional in declared.values()):
        print("\n* argument(s) which are only used if specific conditions occur")
    if not declared:
        print("\n  No arguments.")
