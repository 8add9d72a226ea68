from setuptools import find_packages, setup

PACKAGE = "ls3_models"

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
        "ls3_common",
        "numpy",
        "torch",
        "h5py",
        "safetensors",
        "tensorboard",
        "imageio",
    ],
    zip_safe=True,
    maintainer="LS3 maintainers",
    maintainer_email="maintainers@ls3.invalid",
    description="What LS3 learns: networks, losses, data, training and checkpoints; encoder_node",
    license="Apache-2.0",
    entry_points={"console_scripts": ["encoder_node = ls3_models.nodes:encoder_node"]},
)
