"""Names on pictures: letters that a font has, and what stands for those that none has."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib import get_data_path
from PIL import Image

from sam_annotator.core import fonts
from sam_annotator.core.overlay import draw_text


@pytest.fixture(autouse=True)
def only_dejavu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose only font is the one of matplotlib."""
    monkeypatch.setattr(fonts, "_fonts", lambda: (Path(get_data_path()) / "fonts/ttf/DejaVuSans.ttf",))
    fonts._best.cache_clear()


def test_letters_of_europe_are_written_and_those_that_no_font_has_are_question_marks() -> None:
    assert fonts.font_for("dog 3", 12)[1] == "dog 3"
    assert fonts.font_for("жук ö λ", 12)[1] == "жук ö λ"
    assert fonts.font_for("ö 猫", 12)[1] == "ö ?"


def test_other_letters_look_different_from_each_other() -> None:
    drawn = []
    for text in ("ж", "щ"):
        picture = Image.new("RGB", (30, 30))
        draw_text(picture, (2, 2), text, (255, 255, 255), 18)
        drawn.append(np.asarray(picture))
    assert (drawn[0] != drawn[1]).any()


def test_a_broken_font_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    assert not fonts._letters(tmp_path / "broken.ttf")
