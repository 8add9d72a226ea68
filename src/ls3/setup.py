import sys
import tempfile
from glob import glob

from setuptools import find_packages, setup

PACKAGE = "ls3"

# pip builds in a temporary folder: it leaves nothing in the sources and finds nothing old there.
# colcon, which calls this file itself, chooses folders of its own.
scratch = tempfile.TemporaryDirectory()
OUT_OF_TREE = {"build": {"build_base": scratch.name}, "egg_info": {"egg_base": scratch.name}}

setup(
    name=PACKAGE,
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    package_data={
        PACKAGE: ["py.typed"],
        f"{PACKAGE}.studies": ["campaign.yaml", "paper.yaml", "robustness.yaml"],
    },
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
        (f"share/{PACKAGE}/hook", sorted(glob("hook/*"))),
        (f"share/{PACKAGE}/own_task", sorted(glob("own_task/*.*"))),
    ],
    install_requires=[
        "setuptools",
        "dvrk_cable_env",
        "ls3_common",
        "ls3_models",
        "ls3_planner",
        "ls3_sim",
        "numpy",
        "torch",
        "gymnasium",
        "imageio",
        "tensorboard",
        "tyro",
        "Pillow>=10.1",
        "PyYAML",
    ],
    extras_require={
        # other libraries' formats, ls3 data import and export
        "export": ["imageio-ffmpeg", "minari[hdf5]", "pandas", "pyarrow"],
        "report": ["matplotlib"],  # ls3 report
        "sweep": ["ray>=2.40"],  # ls3 sweep
    },
    options=OUT_OF_TREE if "setuptools.build_meta" in sys.modules else {},
    zip_safe=True,
    maintainer="LS3 maintainers",
    maintainer_email="maintainers@ls3.invalid",
    description="The `ls3` command: data, Algorithm 1, runs and studies; learn_node",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "ls3 = ls3.cli.cli:main",
            "learn_node = ls3.nodes:learn_node",
        ]
    },
)
