from setuptools import find_packages, setup

PACKAGE = "ls3_common"
PROFILES = ["fastdds.xml", "fastdds_udp.xml"]

setup(
    name=PACKAGE,
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml", *(f"{PACKAGE}/{name}" for name in PROFILES)]),
    ],
    package_data={PACKAGE: PROFILES},
    install_requires=[
        "setuptools",
        "PyYAML",
        "numpy",
        "rich",
    ],
    zip_safe=False,
    maintainer="LS3 maintainers",
    maintainer_email="maintainers@ls3.invalid",
    description="Topic names, validated parameters and errors shared by the LS3 packages",
    license="Apache-2.0",
)
