"""Packaging. Ranges stand here, exact versions that are tested together in requirements.txt."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (ROOT / "sam_annotator" / "__init__.py").read_text()).group(1)

setup(
    name="sam-annotator",
    version=VERSION,
    description="Annotate objects in video with Segment Anything and mask propagation; labelme JSON, YouTube-VIS out",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="GPL-3.0-or-later",
    python_requires=">=3.10",
    packages=[*find_packages(include=["sam_annotator", "sam_annotator.*"]), "sam_annotator._models"],
    # models/ is the place for checkpoints in a checkout; an installed package carries its manifest.
    package_dir={"sam_annotator._models": "models"},
    package_data={"sam_annotator._models": ["checkpoints.json"]},
    install_requires=[
        "numpy>=1.26",
        "Pillow>=10.1",
        "msgspec>=0.19",
        "orjson>=3.9",
        "natsort>=8",
        "joblib>=1.3",
        "opencv-python-headless>=4.8",
        "scipy>=1.11",
        "scikit-image>=0.22",
        "PyMaxflow>=1.3",
        "threadpoolctl>=3.1",
        "pycocotools>=2.0.7",
        "tqdm>=4.65",
        "matplotlib>=3.7",
        "platformdirs>=4",
        "requests>=2.31",
        "PyYAML>=6",
        "rapidfuzz>=3",
        "PyQt5>=5.15.10",
        "labelme>=6.3.1,<6.4",
        "torch>=2.1",
        "segment-anything>=1.0",
    ],
    extras_require={
        "cluster": ["dask>=2023.3.2", "distributed>=2023.3.2"],
        "dev": [
            "dask>=2023.3.2",
            "distributed>=2023.3.2",
            "pytest>=8",
            "pytest-qt>=4.4",
            "pytest-xdist>=3.5",
            "hypothesis>=6",
            "ruff>=0.6",
            "mypy>=1.10",
            "packaging>=24",
            "import-linter>=2",
            "pre-commit>=3",
        ],
    },
    entry_points={"console_scripts": ["sam-annotator=sam_annotator.cli:main"]},
    classifiers=[
        "License :: OSI Approved :: GNU General Public License v3 or later (GPLv3+)",
        "Programming Language :: Python :: 3",
        "Environment :: X11 Applications :: Qt",
        "Topic :: Scientific/Engineering :: Image Processing",
    ],
)
