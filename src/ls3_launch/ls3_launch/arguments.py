"""The arguments that the launch files of all domains have."""

from __future__ import annotations

from typing import Any

from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.substitutions import FindPackageShare

from ls3_launch import live, network, overrides


def run_arguments(domain: str) -> list[DeclareLaunchArgument]:
    """Declare the arguments that the launch files of all shipped domains have."""
    config, models = FindPackageShare("ls3_common"), FindPackageShare("ls3_planner")
    return _arguments(
        [domain],
        config=PathJoinSubstitution([config, "config", f"{domain}.yaml"]),
        model=PathJoinSubstitution([models, "models", domain]),
    )


def task_arguments(domain: str = "", config: str = "") -> list[DeclareLaunchArgument]:
    """Declare the arguments of a launch file for a task of the user's own.

    Args:
        domain: name of the task; empty: the argument `domain` names it.
        config: its parameter file; empty: the argument `config` names it.
    """
    named = DeclareLaunchArgument("domain", description="name of the task")
    arguments = _arguments([domain or LaunchConfiguration("domain")], config=config, model="")
    return arguments if domain else [named, *arguments]


def _arguments(domain: list[Any], *, config: Any, model: Any) -> list[DeclareLaunchArgument]:
    """Declare the arguments; `domain` is the name's parts, `config` and `model` are defaults."""
    return [
        DeclareLaunchArgument(
            "mode",
            default_value="run",
            choices=["run", "learn"],
            description="run: `episodes` with a trained model; learn: Algorithm 1, an update after "
            "every K episodes; the same command continues an interrupted run",
        ),
        DeclareLaunchArgument(
            "episodes",
            default_value="3",
            description="number of episodes, after which everything stops; 0: none, the graph "
            "waits for the action run_episode",
        ),
        DeclareLaunchArgument(
            "seed",
            default_value="1000",
            description="seed of the first episode; each further episode has the next seed",
        ),
        DeclareLaunchArgument(
            "profile",
            default_value=overrides.AS_IN_FILE,
            choices=[overrides.AS_IN_FILE, "paper", "realtime"],
            description="size of the planner: that of Table 3, or real time on a 2-core CPU; auto: "
            "as in the parameter file",
        ),
        DeclareLaunchArgument(
            "model",
            default_value=model,
            description="directory of the trained models; empty: the shipped ones, or with "
            "mode:=learn those of `offline`",
        ),
        DeclareLaunchArgument(
            "config",
            default_value=config,
            description="parameter file of the domain and its nodes; empty: the installed one",
        ),
        DeclareLaunchArgument(
            "out",
            default_value=["out/", *domain],
            description="directory of summary.json, episodes.mp4 and the episode files",
        ),
        DeclareLaunchArgument(
            "video",
            default_value="true",
            choices=["true", "false"],
            description="write episodes.mp4",
        ),
        live.argument(),
        DeclareLaunchArgument(
            "learning_seed",
            default_value="0",
            description="mode:=learn: seed of all random draws, as `ls3 learn --seed`",
        ),
        DeclareLaunchArgument(
            "run",
            default_value=[
                "runs/",
                *domain,
                "/through_graph/seed_",
                LaunchConfiguration("learning_seed"),
            ],
            description="mode:=learn: directory of the learning run",
        ),
        DeclareLaunchArgument(
            "data",
            default_value=["data/", *domain],
            description="mode:=learn: directory of the offline data, from `ls3 collect`",
        ),
        DeclareLaunchArgument(
            "offline",
            default_value="",
            description="mode:=learn: run of `ls3 train` to start from; empty: train first",
        ),
        DeclareLaunchArgument(
            "method",
            default_value="ls3",
            description="mode:=learn: method of learning, as `ls3 learn --method`; methods that "
            "must not move an arm are refused",
        ),
        DeclareLaunchArgument(
            "updates",
            default_value="0",
            description="mode:=learn: U, the number of updates, each after K episodes; 0: that of "
            "the parameter file",
        ),
        overrides.argument(),
        *network.arguments(),
    ]
