import sys
import tempfile
from glob import glob

from setuptools import find_packages, setup

PACKAGE = "dvrk_cable_env"

# pip builds in a temporary folder: it leaves nothing in the sources and finds nothing old there.
# colcon, which calls this file itself, chooses folders of its own.
scratch = tempfile.TemporaryDirectory()
OUT_OF_TREE = {"build": {"build_base": scratch.name}, "egg_info": {"egg_base": scratch.name}}

setup(
    name=PACKAGE,
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
        (f"share/{PACKAGE}/launch", sorted(glob("launch/*.launch.py"))),
    ],
    install_requires=[
        "setuptools",
        "ls3_common",
        "numpy",
        "opencv-python-headless<5",
        "mcap",
        "rosbags",
        "zstandard",
        "PyYAML",
    ],
    options=OUT_OF_TREE if "setuptools.build_meta" in sys.modules else {},
    zip_safe=True,
    maintainer="LS3 maintainers",
    maintainer_email="maintainers@ls3.invalid",
    description="The robot side of cable routing: camera to mask, planned action to arm, limits",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "segmentation_node = dvrk_cable_env.nodes:segmentation_node",
            "arm_node = dvrk_cable_env.nodes:arm_node",
            "teleop_node = dvrk_cable_env.nodes:teleop_node",
            "record_monitor = dvrk_cable_env.nodes:record_monitor",
            "preflight = dvrk_cable_env.nodes:preflight",
            "black_box = dvrk_cable_env.nodes:black_box",
            "calibrate = dvrk_cable_env.nodes:calibrate",
        ]
    },
)
