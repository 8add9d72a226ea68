import sys
import tempfile

from setuptools import find_packages, setup

PACKAGE = "ls3_episodes"

# pip builds in a temporary folder: it leaves nothing in the sources and finds nothing old there.
# colcon, which calls this file itself, chooses folders of its own.
scratch = tempfile.TemporaryDirectory()
OUT_OF_TREE = {"build": {"build_base": scratch.name}, "egg_info": {"egg_base": scratch.name}}

setup(
    name=PACKAGE,
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    package_data={"ls3_episodes.live": ["page.*"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
        (f"share/{PACKAGE}/config", ["config/ls3.rviz", "config/foxglove_layout.json"]),
    ],
    install_requires=[
        "setuptools",
        "ls3_common",
        "ls3_models",
        "ls3_planner",
        "numpy",
        "torch",
        "Pillow>=10.1",
        "imageio-ffmpeg",
        "websockets>=13",
    ],
    options=OUT_OF_TREE if "setuptools.build_meta" in sys.modules else {},
    zip_safe=False,
    maintainer="LS3 maintainers",
    maintainer_email="maintainers@ls3.invalid",
    description="Episodes of a running graph: nodes that step, record, film, show and drive them",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "episode_node = ls3_episodes.nodes:episode_node",
            "run_node = ls3_episodes.nodes:run_node",
            "controller_node = ls3_episodes.nodes:controller_node",
            "view_node = ls3_episodes.nodes:view_node",
        ]
    },
)
