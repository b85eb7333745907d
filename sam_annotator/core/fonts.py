"""Fonts for names on pictures: one that has the letters of a text, where this machine has such a font."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_UNKNOWN = "?"


def font_for(text: str, height: int) -> tuple[Font, str]:
    """A font of this height in pixels, and the text as it can write it: `?` stands for letters that no font has."""
    if text.isascii():
        return _font(None, height), text
    path, letters = _best(frozenset(text))
    return _font(path, height), "".join(letter if letter in letters else _UNKNOWN for letter in text)


@lru_cache
def _font(path: Path | None, height: int) -> Font:
    return ImageFont.load_default(height) if path is None else ImageFont.truetype(path, height)


@lru_cache(256)
def _best(wanted: frozenset[str]) -> tuple[Path | None, frozenset[str]]:
    """The font that has most of the letters, and which it has; None: Pillow's own, with those of ASCII."""
    best: tuple[Path | None, frozenset[str]] = (None, frozenset(letter for letter in wanted if letter.isascii()))
    for path in _fonts():
        has = wanted & _letters(path)
        if len(has) > len(best[1]):
            best = path, has
        if has == wanted:
            break
    return best


@lru_cache
def _fonts() -> tuple[Path, ...]:
    """DejaVu Sans, which comes with matplotlib and has all of Europe's letters, then the system's fonts."""
    return tuple(_found())


def _found() -> Iterator[Path]:
    from matplotlib import font_manager, get_data_path  # slow to import, and few texts need it

    yield Path(get_data_path()) / "fonts/ttf/DejaVuSans.ttf"
    yield from map(Path, sorted(font_manager.findSystemFonts()))


@lru_cache(None)
def _letters(path: Path) -> frozenset[str]:
    from matplotlib.ft2font import FT2Font

    try:
        ImageFont.truetype(path, 12)
        return frozenset(map(chr, FT2Font(path).get_charmap()))
    except Exception:  # noqa: BLE001  whatever is wrong with a font of the system: another one will do
        return frozenset()
