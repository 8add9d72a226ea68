"""Any task through the node graph, a task of one's own too (docs/own_task.md).

    ros2 launch ls3_sim task.launch.py domain:=my_task config:=my_task.yaml model:=RUN/model

`--show-args` lists the arguments.
"""

from ls3_launch.gym_graph import task_graph


def generate_launch_description():
    """Describe the launch; `ros2 launch` calls this."""
    return task_graph()
