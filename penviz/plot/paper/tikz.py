"""A paper figure as pgfplots source: points in data coordinates, marks and places as in the other formats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from penviz import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patches import Polygon
    from matplotlib.text import Text

POINTS_LIMIT = 10_000
"""Points that TeX is asked to hold at most: with its usual memory pdfTeX stops between 15,750 and 16,300."""

FACES = {"STIXGeneral": "ptm", "DejaVu Sans": "phv"}
"""LaTeX's families as wide as the faces that ship with matplotlib, or less: Times and Helvetica."""

SHAPE_NAMES = {
    "o": "circle", "s": "square", "^": "triangle", "x": "cross", "D": "diamond", "*": "star", "P": "plus",
    "v": "triangle down", "<": "triangle left", "p": "pentagon", "h": "hexagon", "X": "thick cross",
}  # fmt: skip

STEPS = {1: r"\pgfpathmoveto", 2: r"\pgfpathlineto", 4: r"\pgfpathcurveto", 79: r"\pgfpathclose"}
"""pgf's words for matplotlib's codes of an outline."""

ANCHORS = {"left": "west", "center": "", "right": "east"}
LEVELS = {"top": "north", "bottom": "south", "baseline": "base", "center": "", "center_baseline": "mid"}

ESCAPES = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%",
    "^": r"\textasciicircum{}", "_": r"\_", "~": r"\textasciitilde{}", "…": r"\dots{}", "α": r"$\alpha$",
    "ρ": r"$\rho$", "β": r"$\beta$", "γ": r"$\gamma$", "ε": r"$\varepsilon$", "λ": r"$\lambda$",
    "μ": r"$\mu$", "σ": r"$\sigma$", "τ": r"$\tau$", "−": "$-$", "×": r"$\times$", "·": r"$\cdot$",
    "≤": r"$\leq$", "≥": r"$\geq$", "²": "$^2$", "‖": r"$\Vert$", "°": r"$^\circ$", "→": r"$\to$",
    "±": r"$\pm$",
}  # fmt: skip

HEAD = r"""% \usepackage{pgfplots} \pgfplotsset{compat=1.16}
% Drawn at its final size: do not scale. Shading and density of other formats are left out. Places of text are
% measured for this face; \newcommand{\penvizface}{} before the figure takes that of the document.
"""


def tikz_source(figure: Figure) -> str:
    """Source of a tikzpicture with an axis for each panel, everything at its place in inches.

    Args:
        figure: of `paper_figure` or `paper_charts`; the shading is left out, the rest that may have been
            added is lines and text.

    Raises:
        InputError: more points than `POINTS_LIMIT`.
    """
    n = sum(len(_xy(line)) for ax in figure.axes for line in ax.lines)
    if n > POINTS_LIMIT:
        raise InputError(
            f"TeX cannot hold {n:,} points: draw {POINTS_LIMIT:,} or fewer, or choose pdf or svg."
        )
    width, height = figure.get_size_inches()
    drawn: list[str] = []
    for ax in figure.axes:
        drawn += _axis(ax)
    from matplotlib.lines import Line2D

    for artist in [*figure.lines, *figure.artists]:
        drawn += _drawn(artist, figure.dpi) if isinstance(artist, Line2D) else []
    drawn += [_node(text, figure.dpi) for text in figure.texts if text.get_text()]
    own = next((FACES[text.get_fontfamily()[0]] for text in _texts(figure)), "")
    face = rf"\fontfamily{{{own}}}\selectfont" if own else ""
    start = [
        rf"\providecommand{{\penvizface}}{{{face}}}%",  # no space: it would move the figure
        r"\begin{tikzpicture}[x=1in,y=1in,inner sep=0pt]",
        *_declared(figure),
        rf"\path[use as bounding box] (0,0) rectangle ({_n(width)},{_n(height)});",
    ]
    return HEAD + "\n".join([*start, *drawn, r"\end{tikzpicture}%", ""])


def _texts(figure: Figure) -> list[Text]:
    """Those set in a face that LaTeX has."""
    inside = [text for ax in figure.axes for text in ax.texts]
    return [text for text in [*figure.texts, *inside] if text.get_fontfamily()[0] in FACES]


def _is_marks(line: Line2D) -> bool:
    return str(line.get_marker()) not in ("None", "none", "", " ")


def _mark_name(line: Line2D) -> str:
    """Shape and way of drawing: f fills it, s strokes its rim."""
    filled = _colour("f", line.get_markerfacecolor()) != "f=none" and str(line.get_marker()) != "x"
    rim = line.get_markeredgewidth() and _colour("s", line.get_markeredgecolor()) != "s=none"
    way = ("f" if filled else "") + ("s" if rim else "")
    return f"penviz {SHAPE_NAMES.get(str(line.get_marker()), 'other')} {way or 'f'}"


def _declared(figure: Figure) -> list[str]:
    """matplotlib's outlines as plot marks, so that pgf draws the same shapes at the same size."""
    from matplotlib.lines import Line2D

    lines = [line for ax in figure.axes for line in ax.lines]
    lines += [artist for artist in [*figure.lines, *figure.artists] if isinstance(artist, Line2D)]
    found = {_mark_name(line): str(line.get_marker()) for line in lines if _is_marks(line)}
    return [_declare(name, marker) for name, marker in sorted(found.items())]


def _declare(name: str, marker: str) -> str:
    from matplotlib.markers import MarkerStyle

    style = MarkerStyle(marker)
    outline = style.get_path().transformed(style.get_transform())
    steps = []
    for points, code in outline.iter_segments(simplify=False):
        at = [
            rf"{{\pgfqpoint{{{_n(x)}\pgfplotmarksize}}{{{_n(y)}\pgfplotmarksize}}}}"
            for x, y in np.reshape(points, (-1, 2))
        ]
        steps.append(STEPS[int(code)] + ("" if code == outline.CLOSEPOLY else "".join(at)))
    use = {"f": r"\pgfusepathqfill", "s": r"\pgfusepathqstroke", "fs": r"\pgfusepathqfillstroke"}
    return rf"\pgfdeclareplotmark{{{name}}}{{{''.join(steps)}{use[name.split()[-1]]}}}"


def _axis(ax: Axes) -> list[str]:
    from matplotlib.patches import Polygon

    figure = ax.get_figure(root=True)
    assert figure is not None
    box = ax.get_position()
    width, height = figure.get_size_inches()
    (x0, x1), (y0, y1) = ax.get_xlim(), ax.get_ylim()
    edge = ax.spines["left"]
    rim = f"{_colour('draw', edge.get_edgecolor())},line width={_n(edge.get_linewidth())}bp"
    rim = rim if ax.get_frame_on() else "draw=none"
    out = [
        rf"\begin{{axis}}[at={{({_n(box.x0 * width)}in,{_n(box.y0 * height)}in)}},anchor=south west,"
        "scale only axis,"
        f"width={_n(box.width * width)}in,height={_n(box.height * height)}in,xtick=\\empty,ytick=\\empty,"
        f"xmin={_n(x0)},xmax={_n(x1)},ymin={_n(y0)},ymax={_n(y1)},enlargelimits=false,"
        f"axis line style={{{rim}}}]"
    ]
    inside = [line for line in ax.lines if line.get_transform() == ax.transData]
    filled = [patch for patch in ax.patches if isinstance(patch, Polygon)]
    both: list[Polygon | Line2D] = [*filled, *inside]
    for drawn in sorted(both, key=lambda own: own.get_zorder()):
        if isinstance(drawn, Polygon):
            out.append(_fill(drawn))
            continue
        kind = "only marks," + _mark(drawn) if _is_marks(drawn) else "no marks," + _stroke(drawn)
        rows = "\n".join(f"{_n(x)} {_n(y)}" for x, y in _xy(drawn))
        kind += ",unbounded coords=jump" if np.isnan(_xy(drawn)).any() else ""
        out.append(f"\\addplot[{kind}] table {{\n{rows}\n}};")
    out.append(r"\end{axis}")
    for line in ax.lines:
        if line not in inside:
            out += _drawn(line, figure.dpi)
    return out + [_node(text, figure.dpi) for text in ax.texts if text.get_text()]


def _fill(patch: Polygon) -> str:
    """A bar or a band, its corners in the units of the axes."""
    from matplotlib.colors import to_rgba

    corners = " -- ".join(f"(axis cs:{_n(x)},{_n(y)})" for x, y in np.asarray(patch.get_xy())[:-1])
    look = [_colour("fill", patch.get_facecolor()), f"fill opacity={_n(to_rgba(patch.get_facecolor())[3])}"]
    if patch.get_linewidth() and to_rgba(patch.get_edgecolor())[3]:
        look += [_colour("draw", patch.get_edgecolor()), f"line width={_n(patch.get_linewidth())}bp"]
    return rf"\path[{','.join(look)}] {corners} -- cycle;"


def _drawn(line: Line2D, dpi: float) -> list[str]:
    """A line or marks that have their place on the page."""
    places = [f"({_n(x)},{_n(y)})" for x, y in line.get_transform().transform(_xy(line)) / dpi]
    if _is_marks(line):
        return [f"\\path plot[only marks,{_mark(line)}] coordinates {{{' '.join(places)}}};"]
    return [f"\\draw[{_stroke(line)}] {' -- '.join(places)};"]


def _xy(line: Line2D) -> NDArray[np.float64]:
    return np.asarray(line.get_xydata(), np.float64)


def _mark(line: Line2D) -> str:
    face, edge, width = line.get_markerfacecolor(), line.get_markeredgecolor(), line.get_markeredgewidth()
    name = _mark_name(line)
    way = name.split()[-1]
    look = [_colour("fill", face)] if "f" in way else []
    look += [_colour("draw", edge), f"line width={_n(width)}bp"] if "s" in way else []
    look.append(f"opacity={_n(line.get_alpha() or 1)}")
    return f"mark={name},mark size={_n(float(line.get_markersize()))}bp,mark options={{{','.join(look)}}}"


def _stroke(line: Line2D) -> str:
    width = line.get_linewidth()
    dash = f",dash pattern=on {_n(4 * width)}bp off {_n(3 * width)}bp" if line.is_dashed() else ""
    alpha = line.get_alpha()
    faint = "" if alpha is None else f",opacity={_n(alpha)}"
    return f"{_colour('draw', line.get_color())},line width={_n(width)}bp{dash}{faint}"


def _node(text: Text, dpi: float) -> str:
    x, y = text.get_transform().transform(text.get_position()) / dpi
    anchor = (
        f"{LEVELS[text.get_verticalalignment()]} {ANCHORS[text.get_horizontalalignment()]}".strip()
        or "center"
    )
    size = float(text.get_fontsize())
    font = rf"\fontsize{{{_n(size)}bp}}{{{_n(1.2 * size)}bp}}\selectfont\penvizface"
    font += r"\bfseries" if text.get_fontweight() == "bold" else ""
    said = text.get_text()
    if text.get_parse_math() and said.count("$") > 1:
        said = said.replace("%", r"\%").replace("±", r"$\pm$").replace("\n", r"\\")
    else:
        said = "".join(ESCAPES.get(letter, letter) for letter in said).replace("\n", r"\\")
    colour, turn = _colour("text", text.get_color()), _n(float(text.get_rotation()))
    look = f"anchor={anchor},rotate={turn},font={font},{colour}{_paper(text)}"
    return rf"\node[{look},align={text.get_horizontalalignment()}] at ({_n(x)},{_n(y)}) {{{said}}};"


def _paper(text: Text) -> str:
    """What lies under a text so that it can be read over points."""
    patch = text.get_bbox_patch()
    if patch is None:
        return ""
    pad, alpha = (
        _n(vars(patch.get_boxstyle())["pad"] * float(text.get_fontsize())),
        _n(patch.get_alpha() or 1),
    )
    fill = _colour("fill", patch.get_facecolor())
    return f",{fill},fill opacity={alpha},text opacity=1,inner sep={pad}bp,outer sep=-{pad}bp"


def _colour(key: str, colour: Any) -> str:
    """A colour as a TikZ option, "none" where there is none."""
    from matplotlib.colors import to_rgba

    red, green, blue, alpha = to_rgba(colour)
    if alpha == 0:
        return f"{key}=none"
    return f"{key}={{rgb,255:red,{round(255 * red)};green,{round(255 * green)};blue,{round(255 * blue)}}}"


def _n(value: float) -> str:
    """A number with the digits of float32, never in scientific notation, which TeX lengths do not take."""
    return f"{float(value):.7f}".rstrip("0").rstrip(".") or "0"
