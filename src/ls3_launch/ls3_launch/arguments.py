"""The arguments that the launch files of all domains have."""

from __future__ import annotations

import os

from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.substitutions import FindPackageShare

from ls3_launch import live, network, overrides


def run_arguments(domain: str) -> list[DeclareLaunchArgument]:
    """Declare the arguments that the launch files of all domains have."""
    config, models = FindPackageShare("ls3_common"), FindPackageShare("ls3_planner")
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
            default_value=PathJoinSubstitution([models, "models", domain]),
            description="directory of the trained models",
        ),
        DeclareLaunchArgument(
            "config",
            default_value=PathJoinSubstitution([config, "config", f"{domain}.yaml"]),
            description="parameter file of the domain and its nodes",
        ),
        DeclareLaunchArgument(
            "out",
            default_value=os.path.join("out", domain),
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
                os.path.join("runs", domain, "through_graph", "seed_"),
                LaunchConfiguration("learning_seed"),
            ],
            description="mode:=learn: directory of the learning run",
        ),
        DeclareLaunchArgument(
            "data",
            default_value=os.path.join("data", domain),
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
