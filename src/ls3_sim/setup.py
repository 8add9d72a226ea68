from glob import glob

from setuptools import find_packages, setup

PACKAGE = "ls3_sim"

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
        "numpy",
        "PyOpenGL",
    ],
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
