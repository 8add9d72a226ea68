"""Included by features.launch.py."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node


def generate_launch_description():
    """Describe the launch; `ros2 launch` calls this."""
    return LaunchDescription(
        [
            DeclareLaunchArgument("inner"),
            Node(
                package="standin_features",
                executable="node",
                exec_name="included",
                arguments=[LaunchConfiguration("inner"), LaunchConfiguration("given")],
            ),
        ]
    )
