import os
from glob import glob

from setuptools import find_packages, setup

PACKAGE = "ls3_planner"
SHARE = f"share/{PACKAGE}"


def tree(top: str) -> list[tuple[str, list[str]]]:
    """Install every file under `top` to the same place under share/."""
    return [
        (f"{SHARE}/{folder}", [f"{folder}/{name}" for name in sorted(names)])
        for folder, _, names in os.walk(top)
        if names
    ]


setup(
    name=PACKAGE,
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    package_data={PACKAGE: ["networks.cpp"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (SHARE, ["package.xml"]),
        (f"{SHARE}/launch", sorted(glob("launch/*.launch.py"))),
        (f"{SHARE}/config", sorted(glob("config/*.yaml"))),
        (f"{SHARE}/hook", sorted(glob("hook/*"))),
        (f"{SHARE}/paper", ["paper/results.yaml"]),
        *tree("models"),
    ],
    install_requires=[
        "setuptools",
        "dvrk_cable_env",
        "ls3_common",
        "ls3_models",
        "numpy",
        "torch",
        "gymnasium",
        "tyro",
        "Pillow>=10.1",
        "imageio-ffmpeg",
        "PyYAML",
    ],
    extras_require={
        "export": ["minari[hdf5]", "pandas", "pyarrow"],  # ls3 data export
        "report": ["matplotlib"],  # ls3 report
        "sweep": ["ray>=2.40"],  # ls3 sweep
    },
    zip_safe=True,
    maintainer="LS3 maintainers",
    maintainer_email="maintainers@ls3.invalid",
    description="How LS3 acts: CEM under chance constraints, Algorithm 1, the `ls3` command, nodes",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "ls3 = ls3_planner.cli:main",
            "planner_node = ls3_planner.nodes:planner_node",
            "episode_node = ls3_planner.nodes:episode_node",
            "controller_node = ls3_planner.nodes:controller_node",
            "learn_node = ls3_planner.nodes:learn_node",
            "run_node = ls3_planner.nodes:run_node",
        ]
    },
)
