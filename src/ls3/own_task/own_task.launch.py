"""The task own_task through the node graph: ros2 launch own_task.launch.py model:=RUN/model.

`--show-args` lists the arguments.
"""

from pathlib import Path

from ls3_launch.gym_graph import task_graph


def generate_launch_description():
    """Describe the launch; `ros2 launch` calls this."""
    return task_graph("own_task", config=str(Path(__file__).with_name("own_task.yaml")))
