import os
import sys
import tempfile
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


# pip builds in a temporary folder: it leaves nothing in the sources and finds nothing old there.
# colcon, which calls this file itself, chooses folders of its own.
scratch = tempfile.TemporaryDirectory()
OUT_OF_TREE = {"build": {"build_base": scratch.name}, "egg_info": {"egg_base": scratch.name}}

setup(
    name=PACKAGE,
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    package_data={PACKAGE: ["networks.cpp"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (SHARE, ["package.xml"]),
        (f"{SHARE}/launch", sorted(glob("launch/*.launch.py"))),
        # the file that ls3_common installs, where users of this package's launch file look for it
        *tree("config"),
        *tree("models"),
    ],
    install_requires=[
        "setuptools",
        "ls3_common",
        "ls3_models",
        "numpy",
        "torch",
    ],
    options=OUT_OF_TREE if "setuptools.build_meta" in sys.modules else {},
    zip_safe=True,
    maintainer="LS3 maintainers",
    maintainer_email="maintainers@ls3.invalid",
    description="How LS3 acts: the cross-entropy method under chance constraints; planner_node",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "planner_node = ls3_planner.nodes:planner_node",
        ]
    },
)
