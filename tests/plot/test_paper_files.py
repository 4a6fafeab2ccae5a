"""Files of the paper figure: sizes, fonts and the same bytes again, read from the bytes themselves."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import zlib
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from paper_figures import Rows, by_gid
from PIL import Image

from penviz import InputError
from penviz.plot.paper import plane
from penviz.plot.paper.files import figure_bytes, html_bytes
from penviz.plot.paper.options import PaperOptions
from penviz.plot.paper.plane import paper_figure
from penviz.plot.paper.style import FigureStyle
from penviz.plot.paper.venues import VENUES
from penviz.plot.screen import point_groups

ROOT = Path(__file__).resolve().parents[2]
PLACES = (ROOT, ROOT / "tests", Path(__file__).parent)


def pdf_streams(data: bytes) -> bytes:
    """Every stream of a PDF unpacked, the rest as it is."""
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", data, re.S)
    unpacked = []
    for stream in streams:
        try:
            unpacked.append(zlib.decompressobj().decompress(stream))  # its last byte may read as a line end
        except zlib.error:
            unpacked.append(stream)
    return data + b"\n".join(unpacked)


@pytest.mark.parametrize("name", list(VENUES))
@pytest.mark.parametrize("width", ["text", "column"])
def test_files_have_the_venue_width(rows: Rows, name: str, width: str) -> None:
    inches = VENUES[name].text_in if width == "text" else VENUES[name].column_in
    figure = paper_figure(rows, PaperOptions(name, width=width))
    box = re.search(rb"/MediaBox \[\s*0 0 ([\d.]+) ([\d.]+)\s*\]", figure_bytes(figure, "pdf"))
    assert box is not None
    assert float(box[1]) == pytest.approx(72 * inches, abs=0.5)
    assert float(box[2]) <= 72 * VENUES[name].height_in + 0.5
    svg = ElementTree.fromstring(figure_bytes(figure, "svg"))
    assert svg.get("width", "").endswith("pt")
    assert float(svg.get("width", "")[:-2]) == pytest.approx(72 * inches, abs=0.5)
    png = Image.open(io.BytesIO(figure_bytes(figure, "png", dpi=100)))
    assert png.width == pytest.approx(100 * inches, abs=1)


@pytest.mark.parametrize("name", ["neurips", "nature"])
def test_fonts_are_truetype_and_ship_with_matplotlib(rows: Rows, name: str, tmp_path: Path) -> None:
    data = figure_bytes(paper_figure(rows, PaperOptions(name)), "pdf")
    held = pdf_streams(data)
    assert b"/Type3" not in held
    assert b"/TrueType" in held or b"/CIDFontType2" in held
    names = set(re.findall(rb"/BaseFont /(?:[A-Z]{6}\+)?([A-Za-z]+)", held))
    family = b"STIX" if VENUES[name].serif else b"DejaVu"
    assert names
    assert all(own.startswith(family) for own in names), names
    if shutil.which("pdffonts"):
        (tmp_path / "f.pdf").write_bytes(data)
        said = subprocess.run(["pdffonts", tmp_path / "f.pdf"], capture_output=True, text=True, check=True)
        lines = said.stdout.splitlines()[2:]
        assert lines
        assert all("Type 3" not in line and "TrueType" in line for line in lines), said.stdout


def test_a_font_of_ones_own(rows: Rows, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    shipped = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    path = tmp_path / "own.ttf"
    path.write_bytes((shipped / "cmss10.ttf").read_bytes())
    font = path, hashlib.sha256(path.read_bytes()).hexdigest()
    figure = paper_figure(rows, PaperOptions(font=font))
    data = figure_bytes(figure, "pdf")
    assert figure_bytes(paper_figure(rows, PaperOptions(font=font)), "pdf") == data
    held = pdf_streams(data)
    names = set(re.findall(rb"/BaseFont /(?:[A-Z]{6}\+)?([A-Za-z]+)", held))
    assert b"Cmss" in names
    assert b"/Type3" not in held
    assert not any(b"STIXGeneral-Bold" in name for name in names), "no bold of another face beside it"
    svg = figure_bytes(figure, "svg").decode()
    assert "font-family: 'cmss10', 'STIXGeneral'" in svg
    assert "findfont" not in caplog.text, "no bold of it is looked for"
    assert "penviz-" not in svg
    assert b"\\fontfamily" not in figure_bytes(figure, "tikz"), "LaTeX takes the document's face"
    other = tmp_path / "moved.ttf"
    path.rename(other)
    assert figure_bytes(paper_figure(rows, PaperOptions(font=(other, font[1]))), "pdf") == data, (
        "the path does not matter"
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "There is no font"), (b"no font", "cannot be read"), (b"OTTO" + bytes(60), "cannot be read")],
)
def test_what_is_no_font_is_said(content: bytes | None, words: str, rows: Rows, tmp_path: Path) -> None:
    path = tmp_path / "own.ttf"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=words):
        paper_figure(rows, PaperOptions(font=(path, "0" * 64)))


def test_a_font_without_truetype_outlines_is_refused(rows: Rows, tmp_path: Path) -> None:
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.t2CharStringPen import T2CharStringPen

    builder = FontBuilder(1000, isTTF=False)
    builder.setupGlyphOrder([".notdef", "a"])
    builder.setupCharacterMap({97: "a"})
    pen = T2CharStringPen(500, None)
    for step, at in ((pen.moveTo, (0, 0)), (pen.lineTo, (400, 0)), (pen.lineTo, (0, 400))):
        step(at)
    pen.closePath()
    builder.setupCFF("Own", {}, dict.fromkeys([".notdef", "a"], pen.getCharString()), {})
    builder.setupHorizontalMetrics(dict.fromkeys([".notdef", "a"], (500, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Own", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(tmp_path / "own.otf")
    with pytest.raises(InputError, match="no TrueType outlines"):
        paper_figure(rows, PaperOptions(font=(tmp_path / "own.otf", "0" * 64)))


def test_a_plain_savefig_would_have_type_3(rows: Rows) -> None:
    target = io.BytesIO()
    paper_figure(rows).savefig(target, format="pdf")
    assert b"/Type3" in pdf_streams(target.getvalue())


WRITE = """
import sys, hashlib
from paper_figures import grid
from penviz.plot.paper.files import figure_bytes
from penviz.plot.paper.plane import paper_figure
for layout in ("grid", "strip"):
    figure = paper_figure(grid(), layout=layout)
    for kind in ("pdf", "svg", "png", "tikz"):
        print(hashlib.sha256(figure_bytes(figure, kind)).hexdigest())
"""


def test_two_processes_write_the_same_bytes(rows: Rows) -> None:
    said = []
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(map(str, PLACES))}
        done = subprocess.run(
            [sys.executable, "-c", WRITE],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        said.append(done.stdout.split())
    assert len(said[0]) == 8
    assert said[0] == said[1]
    figure = paper_figure(rows)
    here = [hashlib.sha256(figure_bytes(figure, kind)).hexdigest() for kind in ("pdf", "svg", "png", "tikz")]
    assert said[0][:4] == here, "writing one format leaves no trace in the next"
    moved = [[dataclasses.replace(p, xy=p.xy + np.float32(1e-3)) for p in row] for row in rows]
    assert figure_bytes(paper_figure(moved), "pdf") != figure_bytes(figure, "pdf")


def test_settings_of_the_user_change_nothing(rows: Rows) -> None:
    before = figure_bytes(paper_figure(rows), "pdf")
    own = {"font.family": "monospace", "lines.linewidth": 7, "axes.facecolor": "red", "savefig.bbox": "tight"}
    with matplotlib.rc_context(own):
        kept = dict(matplotlib.rcParams)
        assert figure_bytes(paper_figure(rows), "pdf") == before
        assert dict(matplotlib.rcParams) == kept


def test_many_points_become_pixels_under_vector_text(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    n = sum(len(p.xy) for row in rows for p in row)
    monkeypatch.setattr(plane, "VECTOR_LIMIT", n)
    vector = paper_figure(rows)
    monkeypatch.setattr(plane, "VECTOR_LIMIT", n - 1)
    pixels = paper_figure(rows)
    for figure, expected in ((vector, False), (pixels, True)):
        lines = [line for i in range(4) for line in by_gid(figure, i, "points-")]
        assert {bool(line.get_rasterized()) for line in lines} == {expected}
    n_images = [pdf_streams(figure_bytes(f, "pdf")).count(b"/Subtype /Image") for f in (vector, pixels)]
    assert n_images[1] >= n_images[0] + 4
    text = figure_bytes(pixels, "svg").decode()
    assert ">validation</text>" in text


def test_svg_text_is_text_or_paths(rows: Rows) -> None:
    figure = paper_figure(rows)
    assert b">validation</text>" in figure_bytes(figure, "svg")
    assert b"<text" not in figure_bytes(figure, "svg", text="path")


def test_tikz_holds_the_points_and_its_braces_match(rows: Rows) -> None:
    source = figure_bytes(
        paper_figure(rows, style=FigureStyle(row_titles=("50 % of_it", "b"))), "tikz"
    ).decode()
    assert source.count(r"\begin{axis}") == source.count(r"\end{axis}") == 4
    bare = re.sub(r"\\[{}]", "", source)
    assert bare.count("{") == bare.count("}")
    assert r"50 \% of\_it" in source
    tables = re.findall(r"only marks[^\n]*table \{\n(.*?)\n\};", source, re.S)
    found = np.concatenate([np.array(t.split(), np.float64).reshape(-1, 2) for t in tables])
    panel = rows[0][0]
    expected = np.concatenate([panel.xy[at] for _, _, at in point_groups(panel)])
    assert np.allclose(found[: len(expected)], expected, atol=1e-6)
    assert not re.search(r"\de[-+]?\d", source), "TeX reads no scientific notation"
    many = [[dataclasses.replace(p, xy=np.repeat(p.xy, 200, 0), labels=np.repeat(p.labels, 200),
                                 kinds=np.repeat(p.kinds, 200)) for p in row] for row in rows]  # fmt: skip
    with pytest.raises(InputError, match="TeX cannot hold"):
        figure_bytes(paper_figure(many), "tikz")


def test_html_is_offline_and_sends_nothing(rows: Rows) -> None:
    page = html_bytes([p for row in rows for p in row])
    assert page == html_bytes([p for row in rows for p in row])
    text = page.decode()
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=[\"']?(https?:)?//", text)
    assert re.search(r'"showSendToCloud":\s*false', text)
    assert re.search(r'"plotlyServerURL":\s*""', text)
    with pytest.raises(InputError, match="no panels"):
        html_bytes([])


def ids_of(svg: bytes) -> list[str]:
    return [value for e in ElementTree.fromstring(svg).iter() if (value := e.get("id")) is not None]


def test_svg_ids_are_unique_and_say_what_they_are(rows: Rows) -> None:
    figure = paper_figure(rows)
    gids = [artist.get_gid() for ax in figure.axes for artist in ax.get_children()]
    found = ids_of(figure_bytes(figure, "svg"))
    assert len(found) == len(set(found))
    assert {"panel-a", "panel-d", "panel-a-points-airplane-correct", "head-train", "legend-class-mean"} <= {
        *found
    }
    assert [artist.get_gid() for ax in figure.axes for artist in ax.get_children()] == gids  # put back
    odd = [[dataclasses.replace(p, classes=("a b", "a_b", "7 <&>")) for p in row] for row in rows]
    found = ids_of(figure_bytes(paper_figure(odd), "svg"))
    assert len(found) == len(set(found))
    assert all(re.fullmatch(r"[^\W\d][\w.-]*", one) for one in found)  # a name in XML
