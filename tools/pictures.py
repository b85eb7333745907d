"""README's pictures, made from what `make demo` saved, so that they cannot rot: `make pictures`."""

import sys
from pathlib import Path

from PIL import Image

PICTURES = {
    "5-propagating.png": "window.jpg",
    "2-proposals.png": "proposals.jpg",
    "4-name.png": "name.jpg",
    "8-dataset.png": "dataset.jpg",
}


def main(demo: Path, target: Path) -> None:
    """Save the chosen pictures of a demonstration as JPEG."""
    target.mkdir(parents=True, exist_ok=True)
    for source, name in PICTURES.items():
        with Image.open(demo / "pictures" / source) as picture:
            picture.convert("RGB").save(target / name, quality=88, optimize=True, subsampling=0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
