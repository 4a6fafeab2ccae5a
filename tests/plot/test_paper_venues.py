"""Every venue in every format, read back by other programs: sizes, fonts, letters, and what is cut off."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure
from paper_figures import Rows, grid
from PIL import Image
from test_paper_files import pdf_streams

from penviz.plot.paper.files import figure_bytes
from penviz.plot.paper.options import PaperOptions
from penviz.plot.paper.plane import paper_figure
from penviz.plot.paper.venues import VENUES

CASES = [
    (name, width, layout)
    for name in VENUES
    for width in ("text", "column")
    for layout in ("grid", "strip")
    if width == "text" or VENUES[name].column_in < VENUES[name].text_in
]
IDS = ["-".join(case) for case in CASES]
GRIDS = [case for case in CASES if case[2] == "grid"]
GRID_IDS = ["-".join(case) for case in GRIDS]

SLACK_PT = 0.6
"""How far letters may stand from a neighbour or the page's edge and still count as clear of it."""


def run(*command: str | Path, place: Path | None = None) -> str:
    """What a program prints; the test is skipped where the machine does not have it."""
    if shutil.which(str(command[0])) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def rows() -> Rows:
    return grid(per_class=8)


@cache
def kept(*case: str) -> Figure:
    """A figure that several tests read and none changes."""
    return drawn(grid(per_class=8), *case)


def drawn(rows: Rows, name: str, width: str, layout: str) -> Figure:
    return paper_figure(rows, PaperOptions(name, width=width), layout=layout, corner=("rho_d", "accuracy"))


def inches(name: str, width: str) -> float:
    return VENUES[name].text_in if width == "text" else VENUES[name].column_in


# What is wrong with a file.


def page_size(path: Path, page: int = 1) -> tuple[float, float]:
    said = run("pdfinfo", "-f", str(page), "-l", str(page), path)
    found = re.search(r"Page.*size:\s+([\d.]+) x ([\d.]+) pts", said)
    assert found, said
    return float(found[1]), float(found[2])


def font_faults(path: Path) -> list[str]:
    """Type 3 fonts, and fonts that are not in the file."""
    lines = run("pdffonts", path).splitlines()
    at = lines[0].index("emb")
    return [line for line in lines[2:] if "Type 3" in line or line[at : at + 3] != "yes"]


@dataclass(frozen=True)
class Word:
    """A word and its box in points from the upper left corner of the page."""

    text: str
    x0: float
    y0: float
    x1: float
    y1: float

    def over(self, other: Word) -> bool:
        across = min(self.x1, other.x1) - max(self.x0, other.x0)
        down = min(self.y1, other.y1) - max(self.y0, other.y0)
        return across > SLACK_PT and down > SLACK_PT


def pages(path: Path) -> Iterator[tuple[float, float, list[Word]]]:
    """(width, height, words) of the pages; boxes are cut to letters: fonts reserve more than they fill."""
    said = run("pdftotext", "-bbox", path, "-")
    number = r'"(-?[\d.]+)"'
    for page in re.findall(r"<page .*?</page>", said, re.S):
        size = re.match(rf"<page width={number} height={number}", page)
        assert size
        words = []
        box = rf"<word xMin={number} yMin={number} xMax={number} yMax={number}>(.*?)</word>"
        for x0, y0, x1, y1, text in re.findall(box, page):
            left, top, right, low = float(x0), float(y0), float(x1), float(y1)
            spare = 0.2 * min(low - top, right - left)
            if low - top > right - left and len(text) > 3:  # reads upward
                words.append(Word(text, left + spare, top, right - spare, low))
            else:
                words.append(Word(text, left, top + spare, right, low - spare))
        yield float(size[1]), float(size[2]), words


def word_faults(path: Path) -> list[list[str]]:
    """For each page, words that leave it or lie over another."""
    found = []
    for width, height, words in pages(path):
        own = []
        assert len(words) > 10, "a figure says more than this"
        for i, word in enumerate(words):
            inside = word.x0 > -SLACK_PT and word.y0 > -SLACK_PT
            inside = inside and word.x1 < width + SLACK_PT and word.y1 < height + SLACK_PT
            own += [] if inside else [f"{word.text} leaves the page"]
            own += [f"{word.text} over {other.text}" for other in words[i + 1 :] if word.over(other)]
        found.append(own)
    return found


def missing_words(figure: Figure, path: Path) -> list[set[str]]:
    """For each page, words of the figure that cannot be read in the file: letters off the page are not."""
    texts = [text.get_text() for text in figure.texts if "$" not in text.get_text()]
    wanted = {word for text in texts for word in text.split() if word.isascii()}
    return [wanted - {word.text for word in words} for *_, words in pages(path)]


def rim_is_white(picture: Image.Image) -> bool:
    """Nothing is drawn in the outermost pixels, so that nothing is cut off."""
    pixels = np.asarray(picture.convert("RGB"))
    rim = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    return bool((rim == 255).all())


def least_size(pdf: bytes) -> float:
    """Points of the smallest text, from the operators that choose a font."""
    return min(float(size) for size in re.findall(rb"/F\d+ ([\d.]+) Tf", pdf_streams(pdf)))


# The formats.


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_pdf(case: tuple[str, str, str], tmp_path: Path) -> None:
    name, width, _ = case
    figure = kept(*case)
    data = figure_bytes(figure, "pdf")
    path = tmp_path / "f.pdf"
    path.write_bytes(data)
    assert least_size(data) >= max(5, VENUES[name].least_pt)
    assert page_size(path)[0] == pytest.approx(72 * inches(name, width), abs=0.5)
    assert page_size(path)[1] <= 72 * VENUES[name].height_in + 0.5
    assert font_faults(path) == []
    assert word_faults(path) == [[]]
    assert missing_words(figure, path) == [set()]
    run("pdftoppm", "-r", "100", "-singlefile", "-png", path, tmp_path / "f")
    assert rim_is_white(Image.open(tmp_path / "f.png"))


@pytest.mark.parametrize("text", ["text", "path"])
@pytest.mark.parametrize("case", GRIDS, ids=GRID_IDS)
def test_svg(case: tuple[str, str, str], text: str, tmp_path: Path) -> None:
    name, width, _ = case
    data = figure_bytes(kept(*case), "svg", text=text)
    page = ElementTree.fromstring(data)
    assert float(page.get("width", "").removesuffix("pt")) == pytest.approx(72 * inches(name, width), abs=0.5)
    box = [float(number) for number in page.get("viewBox", "").split()]
    assert box[:2] == [0, 0]
    assert box[2] == pytest.approx(72 * inches(name, width), abs=0.5), "a unit is a point"
    sizes = [float(size) for size in re.findall(rb"font-size: ([\d.]+)px", data)]
    assert bool(sizes) == (text == "text")
    assert all(size >= max(5, VENUES[name].least_pt) for size in sizes)
    assert not re.search(rb'href="(?!#|data:)', data), "it needs no other file"
    (tmp_path / "f.svg").write_bytes(data)
    run("xmllint", "--noout", "--nonet", tmp_path / "f.svg")


@pytest.mark.parametrize("case", GRIDS, ids=GRID_IDS)
def test_png(case: tuple[str, str, str]) -> None:
    picture = Image.open(io.BytesIO(figure_bytes(kept(*case), "png", dpi=200)))
    assert picture.width == pytest.approx(200 * inches(*case[:2]), abs=1)
    assert picture.info["dpi"] == pytest.approx((200, 200), abs=0.1)
    assert rim_is_white(picture)


DOCUMENT = r"""\documentclass{article}
\usepackage{pgfplots} \pgfplotsset{compat=1.16}
\pdfhorigin=0pt \pdfvorigin=0pt \hoffset=0pt \voffset=0pt
\newcommand{\figureof}[1]{\setbox0\hbox{\input{#1}}\pdfpagewidth=\wd0 \pdfpageheight=\ht0 \shipout\box0 }
\begin{document}%s\end{document}
"""


def typeset(sources: list[bytes], place: Path) -> Path:
    """A PDF with a page for each TikZ source, of its size."""
    for number, source in enumerate(sources):
        (place / f"f{number}.tex").write_bytes(source)
    body = "\n".join(rf"\figureof{{f{number}}}" for number in range(len(sources)))
    (place / "all.tex").write_text(DOCUMENT % body)
    done = run("pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex", place=place)
    assert "Missing character" not in done
    return place / "all.pdf"


@pytest.fixture(scope="module")
def pages_by_tex(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The grids as TikZ, set by one run of LaTeX: a page each."""
    if shutil.which("kpsewhich") is None or not run("kpsewhich", "pgfplots.sty").strip():
        pytest.skip("LaTeX with pgfplots is not installed")
    sources = [figure_bytes(kept(*case), "tikz") for case in GRIDS]
    return typeset(sources, tmp_path_factory.mktemp("tikz"))


@pytest.fixture(scope="module")
def tex_word_faults(pages_by_tex: Path) -> list[list[str]]:
    return word_faults(pages_by_tex)


def test_tikz_fonts(pages_by_tex: Path) -> None:
    assert font_faults(pages_by_tex) == []


@pytest.mark.parametrize("case", GRIDS, ids=GRID_IDS)
def test_tikz(case: tuple[str, str, str], pages_by_tex: Path, tex_word_faults: list[list[str]]) -> None:
    number = GRIDS.index(case)
    assert page_size(pages_by_tex, number + 1)[0] == pytest.approx(72 * inches(*case[:2]), abs=0.5)
    assert tex_word_faults[number] == []


# The checks see what they are for.


def test_a_narrow_page_and_a_small_letter_and_a_word_off_the_page_are_seen(
    rows: Rows, tmp_path: Path
) -> None:
    figure = drawn(rows, "icml", "text", "strip")
    letter = next(t for t in figure.texts if t.get_gid() == "letter")
    figure.text(*letter.get_position(), "(z)", transform=figure.dpi_scale_trans, fontsize=4)
    figure.text(6.6, 1, "beyond", transform=figure.dpi_scale_trans, fontsize=8)
    figure.set_size_inches(6.7, float(figure.get_figheight()))
    data = figure_bytes(figure, "pdf")
    path = tmp_path / "f.pdf"
    path.write_bytes(data)
    assert least_size(data) == 4
    assert page_size(path)[0] != pytest.approx(72 * 6.75, abs=0.5)
    (found,) = word_faults(path)
    assert any(fault.endswith("leaves the page") for fault in found)
    assert missing_words(figure, path) == [{"beyond"}]
    assert any("(z)" in fault and "(a)" in fault for fault in found)
    assert not rim_is_white(Image.open(io.BytesIO(figure_bytes(figure, "png", dpi=200))))


def test_a_type_3_font_is_seen(rows: Rows, tmp_path: Path) -> None:
    drawn(rows, "icml", "text", "strip").savefig(tmp_path / "f.pdf")
    assert font_faults(tmp_path / "f.pdf")


def test_tikz_that_cannot_be_set_is_seen(rows: Rows, pages_by_tex: Path, tmp_path: Path) -> None:
    source = figure_bytes(drawn(rows, "icml", "text", "grid"), "tikz")
    with pytest.raises(AssertionError, match="Undefined control sequence"):
        typeset([source.replace(rb"\node", rb"\nodes")], tmp_path)
