import sys
import tempfile
from glob import glob

from setuptools import find_packages, setup

PACKAGE = "ls3_sim"

# pip builds in a temporary folder: it leaves nothing in the sources and finds nothing old there.
# colcon, which calls this file itself, chooses folders of its own.
scratch = tempfile.TemporaryDirectory()
OUT_OF_TREE = {"build": {"build_base": scratch.name}, "egg_info": {"egg_base": scratch.name}}

setup(
    name=PACKAGE,
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    package_data={PACKAGE: ["assets/*.xml"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
        (f"share/{PACKAGE}/launch", sorted(glob("launch/*.launch.py"))),
    ],
    install_requires=[
        "setuptools",
        "ls3_common",
        "dvrk_cable_env",
        "gymnasium>=1.0",
        "mujoco>=3.3,<4",
        "numpy>=1.25",
        "opencv-python-headless<5",
        "PyOpenGL",
    ],
    options=OUT_OF_TREE if "setuptools.build_meta" in sys.modules else {},
    zip_safe=False,
    maintainer="LS3 maintainers",
    maintainer_email="maintainers@ls3.invalid",
    description="The domains of LS3 in MuJoCo: gymnasium environments and a simulated arm for ROS",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "sim_node = ls3_sim.nodes:sim_node",
            "gym_node = ls3_sim.nodes:gym_node",
            "operator_node = ls3_sim.nodes:operator_node",
        ]
    },
)
