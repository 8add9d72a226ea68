"""`launch` as far as this project's launch files use it; see the README of the ROS 2 stand-in."""

from launch.action import Action, LaunchDescriptionEntity
from launch.event import Event
from launch.launch_context import LaunchContext
from launch.launch_description import LaunchDescription
from launch.launch_service import LaunchService
from launch.substitution import SomeSubstitutionsType, Substitution
from ros2_standin import refuse_beside_ros

__all__ = [
    "Action",
    "Event",
    "LaunchContext",
    "LaunchDescription",
    "LaunchDescriptionEntity",
    "LaunchService",
    "SomeSubstitutionsType",
    "Substitution",
]

refuse_beside_ros()
