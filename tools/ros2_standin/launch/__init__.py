"""The part of `launch` that this project's launch files use; see the stand-in's README."""

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
