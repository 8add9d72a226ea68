from setuptools import find_packages, setup

PACKAGE = "ls3_system_tests"

setup(
    name=PACKAGE,
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
    ],
    install_requires=[
        "setuptools",
        "dvrk_cable_env",
        "ls3",
        "ls3_common",
        "ls3_episodes",
        "ls3_models",
        "PyYAML",
    ],
    zip_safe=True,
    maintainer="LS3 maintainers",
    maintainer_email="maintainers@ls3.invalid",
    description="Measurements of the running graph: latency, and campaigns of faults",
    license="Apache-2.0",
)
