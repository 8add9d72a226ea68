import sys
import tempfile
from glob import glob

from setuptools import find_packages, setup

PACKAGE = "ls3_common"
PROFILES = ["fastdds.xml", "fastdds_udp.xml"]

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
        (f"share/{PACKAGE}", ["package.xml", *(f"{PACKAGE}/{name}" for name in PROFILES)]),
        (f"share/{PACKAGE}/config", sorted(glob("config/*.yaml"))),
    ],
    package_data={PACKAGE: PROFILES},
    install_requires=[
        "setuptools",
        "PyYAML",
        "numpy",
        "rich",
    ],
    options=OUT_OF_TREE if "setuptools.build_meta" in sys.modules else {},
    zip_safe=False,
    maintainer="LS3 maintainers",
    maintainer_email="maintainers@ls3.invalid",
    description="Topic names, validated parameters, files and processes for all LS3 packages",
    license="Apache-2.0",
)
