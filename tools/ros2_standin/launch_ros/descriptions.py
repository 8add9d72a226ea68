"""The descriptions of parameters under their second name, as in `launch_ros`."""

from launch_ros.parameter_descriptions import ParameterFile, ParameterValue

__all__ = ["ParameterFile", "ParameterValue"]
