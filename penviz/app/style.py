"""Style sheet of the pages: what Streamlit's theme cannot say."""

from __future__ import annotations

from penviz.plot.theme import CLASS_COLOURS, ink

WIDE_PX = 1180
"""Width of the page's own column from which four panels stand in one strip."""
HEAD_PX = 226
"""Height of introduction and finding above the grid, left free when it is fitted to the window."""
FRAME_PX = 82
"""Height of a row of panels beyond the panels: names, numbers, borders."""
SIDES_PX = 42
"""Width of a row of panels beyond the panels: tools on the right."""
GAP_PX = 20
"""Width between a figure and what stands to its right."""
SIDE_PX = 215
"""Width that the legend needs beside the grid."""
LEAST_PX = 300
"""Height of a row of panels below which their words run into each other; a narrower page scrolls them."""

SCROLLER = '<div class="pz-scroll" tabindex="0" role="group" aria-label="Table">'
"""What a wide table stands in; the keyboard can scroll it."""


def stage_sheet(layout: str, n_runs: int, n_splits: int) -> str:
    """CSS of the grid: panels are squares, as large as the window lets them be.

    Args:
        layout: "strip" (four panels in a row), "square" (a row a run) or "auto" (by the width of the page).
        n_runs: figures; n_splits: panels in each.
    """
    fitted = f"calc((100vh - {HEAD_PX}px) / {min(n_runs, 2)})"
    columns = 3 - n_splits  # two panels stand side by side, of one run or of two
    least = n_splits * (LEAST_PX - FRAME_PX + 13) + SIDES_PX
    taken = SIDE_PX + columns * (SIDES_PX + GAP_PX)
    beside = f"calc((100cqw - {taken}px) / 2 + {FRAME_PX - 13}px)"
    square = f""".st-key-stage {{ grid-template-columns: auto minmax({SIDE_PX}px, 1fr); }}
.st-key-charts {{ --h: max({LEAST_PX}px, min({fitted}, {beside}));
  grid-template-columns: repeat({columns}, max-content); }}
.st-key-charts > * {{ width: calc({n_splits} * (var(--h) - {FRAME_PX - 13}px) + {SIDES_PX}px); }}
.st-key-side .pz-legend {{ flex-direction: column; align-items: flex-start; gap: .35rem; }}
.st-key-side .pz-legend span {{ white-space: normal; line-height: 1.25; }}
.st-key-side .pz-legend img {{ flex: none; }}
@container (max-width: {columns * least + (columns - 1) * 16 + SIDE_PX + GAP_PX}px) {{
.st-key-stage {{ grid-template-columns: 100%; }}
.st-key-charts {{ --h: {LEAST_PX}px; overflow-x: auto; grid-template-columns: max-content; }} }}"""
    columns = min(n_runs, 4 // n_splits)
    panel = f"calc((97cqw / {columns} - {SIDES_PX + 14}px) / {n_splits} + {FRAME_PX}px)"
    strip = f""".st-key-stage {{ grid-template-columns: 100%; }}
.st-key-charts {{ --h: max({LEAST_PX}px, min({panel}, calc(100vh - {HEAD_PX}px))); overflow-x: auto;
  grid-template-columns: repeat({columns}, 1fr); }}
.st-key-charts > * {{ width: 100%; min-width: {least}px; }}
.st-key-stage > :has(.st-key-side) {{ order: -1; }}
.st-key-side {{ flex-direction: row; flex-wrap: wrap; gap: .1rem 1.4rem; }}
.st-key-side > * {{ width: auto !important; }}
.st-key-side .pz-legend {{ flex-direction: row; gap: .1rem 1.05rem; }}"""
    if layout == "strip" and n_runs > 1:
        rules = strip
    elif layout == "auto" and n_runs > 1:
        rules = f"{square}\n@container (min-width: {WIDE_PX}px) {{ {strip} }}"
    else:
        rules = square
    return f"<style>{rules}</style>"


def style_sheet(dark: bool) -> str:
    """CSS of all pages for a light or dark theme."""
    colours = ink(dark)
    rule = f"1px solid {colours.frame}"
    return f"""<style>
.stMainBlockContainer {{ padding: .8rem 1.6rem 3rem 1.6rem; max-width: 2200px; }}
header.stAppHeader {{ background: transparent; pointer-events: none; height: 2.4rem; min-height: 2.4rem; }}
header.stAppHeader button {{ pointer-events: auto; }}
[data-testid="stSidebarHeader"] {{ height: 2.2rem; min-height: 2.2rem; margin-bottom: -1.6rem; }}
section.stSidebar [data-testid="stSidebarContent"] {{ padding: 0; }}
section.stSidebar [data-testid="stSidebarUserContent"] {{ padding: 0 1.1rem 1.5rem 1.1rem; }}
section.stSidebar [data-testid="stButtonGroup"] button p {{
  white-space: normal; overflow-wrap: anywhere; text-align: left; line-height: 1.3; }}
section.stSidebar [data-testid="stButtonGroup"] button {{ height: auto;
  padding-left: .6rem; padding-right: .6rem; }}
[data-testid="stButtonGroup"] > [role] {{ flex-wrap: wrap; }}
[data-selected="true"] p {{ color: {colours.text}; }}
:is([data-tag], [kind="primary"]), :is([data-tag], [kind="primary"]) * {{ color: {colours.page} !important; }}
[data-testid="stCaptionContainer"] {{ color: {colours.note}; opacity: 1; }}
[data-testid="stCode"] .token {{ color: inherit !important; }}
[class*="st-key-left"] [data-testid="stIconMaterial"] {{ color: {CLASS_COLOURS[0]}; }}
[class*="st-key-right"] [data-testid="stIconMaterial"] {{ color: {CLASS_COLOURS[1]}; }}
[class*="st-key-above"] [data-testid="stIconMaterial"] {{ color: {CLASS_COLOURS[2]}; }}
section.stSidebar [data-testid="stVerticalBlock"] {{ gap: .5rem; }}
.pz-brand {{ font-weight: 700; font-size: 1.15rem; letter-spacing: -.01em; }}
.pz-head {{ font-size: .72rem; font-weight: 700; letter-spacing: .09em; text-transform: uppercase;
  color: {colours.note}; margin-top: .55rem; }}
.pz-finding {{ font-size: 1.3rem; line-height: 1.25; font-weight: 700; letter-spacing: -.012em; margin: 0; }}
.pz-second-finding {{ font-size: 1.16rem; line-height: 1.25; font-weight: 700; letter-spacing: -.01em;
  margin: 0; padding: 0; }}
.pz-chart-title {{ font-size: .88rem; font-weight: 600; margin: 0; padding: 0; }}
.st-key-triples {{ border-top: {rule}; padding-top: 1.1rem; margin-top: .8rem; gap: .8rem; }}
.st-key-wall {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(208px, 1fr));
  gap: .9rem 1rem; }}
.st-key-wall > * {{ width: auto !important; }}
[class*="st-key-triple-"] {{ position: relative; }}
[class*="st-key-triple-"] button {{ padding: .1rem 0; min-height: 1.5rem; width: 100%;
  justify-content: flex-start; }}
[class*="st-key-triple-"] button p {{ white-space: normal; text-align: left; line-height: 1.25;
  font-size: .86rem; font-weight: 600; }}
[class*="st-key-triple-"] button::after {{ content: ""; position: absolute; inset: 0; }}
[class*="st-key-show-triple-"] {{ position: static !important; }}
.pz-tile {{ display: flex; flex-wrap: wrap; gap: 6px; }}
.pz-tile img {{ display: block; max-width: 100%; border-radius: 3px; }}
[class*="st-key-triple-"]:hover .pz-tile img {{ outline: 2px solid {CLASS_COLOURS[0]}; }}
.pz-current img {{ outline: 2px solid {colours.note}; }}
.st-key-intro {{ border-left: 3px solid {CLASS_COLOURS[0]}; padding: .35rem .7rem;
  background: color-mix(in srgb, {CLASS_COLOURS[0]} 6%, transparent); }}
.st-key-intro > :first-child {{ flex: 1; min-width: 0; }}
table.pz-key-facts {{ border-collapse: collapse; margin-top: .45rem; font-size: .9rem; }}
table.pz-key-facts :is(th, td) {{ text-align: left; padding: 0 1.2rem 0 0; white-space: nowrap;
  font-variant-numeric: tabular-nums; }}
table.pz-key-facts th {{ font-weight: 400; color: {colours.note}; }}
table.pz-key-facts b {{ font-weight: 700; margin-right: .15rem; }}
table.pz-key-facts thead th {{ font-size: .82rem; }}
table.pz-key-facts small {{ display: block; font-size: .82em; color: {colours.note}; }}
table.pz-key-facts :is(td, tbody th) {{ vertical-align: top; }}
table.pz-key-facts th[title] {{ cursor: help; }}
@container (max-width: 800px) {{
  div:has(> table.pz-key-facts) {{ width: 100%; }}
  table.pz-key-facts, table.pz-key-facts :is(tr, td) {{ display: block; }}
  table.pz-key-facts thead {{ display: none; }}
  table.pz-key-facts tbody {{ display: grid; gap: 0 2rem;
    grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); }}
  table.pz-key-facts td {{ display: flex; justify-content: space-between; gap: 1rem; white-space: normal;
    text-align: right; padding: .1rem 0; }}
  table.pz-key-facts td::before {{ content: attr(data-label); color: {colours.note}; text-align: left; }}
  table.pz-key-facts tbody th {{ font-weight: 600; color: {colours.text}; }} }}
.st-key-intro-ways {{ flex: none; }}
:is(.st-key-your-model, .st-key-your-model-top) a {{ background: {CLASS_COLOURS[0]}; border-radius: 6px;
  justify-content: center; }}
:is(.st-key-your-model, .st-key-your-model-top) a:hover {{
  background: color-mix(in srgb, {CLASS_COLOURS[0]} 85%, black); }}
:is(.st-key-your-model, .st-key-your-model-top) a :is(p, span) {{ font-weight: 600;
  color: white !important; }}
[data-testid="stLayoutWrapper"]:has(> .st-key-your-model-top) {{ display: none; }}
.st-key-intro-ways button {{ min-height: 1.7rem; padding: 0 .3rem; white-space: nowrap; }}
.st-key-tour {{ position: sticky; top: 0; z-index: 60; background: {colours.page}; border: 2px solid
  {CLASS_COLOURS[1]}; border-radius: 8px; padding: .7rem .9rem; gap: .5rem;
  box-shadow: 0 4px 18px rgba(0,0,0,.14); }}
.st-key-tour {{ flex-wrap: nowrap; }}
.st-key-tour > :first-child {{ flex: 1; min-width: 0; }}
.st-key-tour p {{ margin: 0; font-size: .95rem; line-height: 1.4; }}
.st-key-tour-ways {{ flex: none; flex-wrap: nowrap; }}
.stApp:has(.st-key-tour) .st-key-intro {{ display: none; }}
.pz-intro {{ font-size: .86rem; line-height: 1.36; color: {colours.text}; margin: 0; }}
.pz-detail {{ font-size: .92rem; line-height: 1.4; color: {colours.note}; margin: .2rem 0 0 0; }}
.pz-legend {{ display: flex; flex-wrap: wrap; gap: .1rem 1.05rem; font-size: .84rem; color: {colours.note};
  align-items: center; min-height: 1.5rem; }}
.pz-legend span {{ display: inline-flex; align-items: center; gap: .35rem; white-space: nowrap; }}
.pz-legend b {{ color: {colours.text}; font-weight: 600; }}
.pz-foot {{ font-size: .84rem; line-height: 1.45; color: {colours.note}; max-width: 110ch; }}
.pz-note {{ font-size: .88rem; line-height: 1.4; color: {colours.note}; }}
table.pz-table {{ border-collapse: collapse; width: 100%; font-size: .88rem; }}
table.pz-table th {{ font-weight: 600; text-align: right; color: {colours.note}; padding: .25rem .7rem;
  border-bottom: {rule}; white-space: nowrap; }}
table.pz-table td {{ text-align: right; padding: .3rem .7rem; border-bottom: {rule};
  font-variant-numeric: tabular-nums; white-space: nowrap; }}
table.pz-table th:first-child, table.pz-table td:first-child {{ text-align: left; white-space: normal;
  padding-left: 0; }}
table.pz-table td:first-child {{ min-width: 11rem; }}
table.pz-words-last th:last-child, table.pz-words-last td:last-child {{ text-align: left;
  padding-left: 1rem; white-space: normal; }}
table.pz-words-last td:first-child {{ white-space: nowrap !important; }}
table.pz-table tr.pz-second th:first-child {{ text-align: right; padding-left: .7rem; }}
table.pz-table th.pz-top {{ text-align: left; border-bottom: 0; }}
table.pz-table .pz-split {{ border-left: {rule}; }}
table.pz-table small {{ color: {colours.note}; font-size: .8rem; font-weight: 400; margin-left: .5rem; }}
table.pz-table td.pz-change {{ color: {colours.note}; }}
.pz-scroll {{ overflow-x: auto; }}
.pz-scroll + .pz-note {{ margin-top: .6rem; }}
.st-key-distillation {{ gap: .55rem; }}
.st-key-numbers div:has(> [data-testid="stMultiSelectTagsContainer"]) {{ max-height: none; height: auto; }}
.st-key-page {{ container-type: inline-size; gap: .7rem; }}
.st-key-header, .st-key-triples-head {{ flex-wrap: nowrap; }}
.st-key-triples-out {{ flex: none; }}
.st-key-ways-out {{ flex: none; min-width: 6.6rem; }}
.st-key-ways-out button {{ min-height: 2.1rem; padding-top: .2rem; padding-bottom: .2rem; }}
.stApp:has([data-testid="stExpandSidebarButton"]) .stMainBlockContainer {{ padding-left: 3.2rem; }}
@media (max-width: 768px) {{
  .stApp .stMainBlockContainer.stMainBlockContainer {{ padding: 2.6rem 1rem 3rem 1rem; }}
  .st-key-header, .st-key-triples-head, .st-key-tour {{ flex-wrap: wrap; }}
  .st-key-intro, .st-key-tour {{ flex-direction: column; align-items: stretch; }}
  .st-key-intro-ways {{ flex-direction: row; }}
  .st-key-ways-out {{ flex-direction: row; }}
  .st-key-ways-out > * {{ min-width: 7.5rem; }}
  .stApp [data-testid="stLayoutWrapper"]:has(> .st-key-your-model-top) {{ display: flex; height: 1rem;
    flex-direction: column; margin-top: -2rem; }}
  .stApp .st-key-your-model-top.st-key-your-model-top {{ width: max-content; margin-left: auto;
    align-self: flex-end; }}
  table.pz-words-last td:last-child {{ min-width: 16rem; }} }}
.st-key-page-width {{ display: none; }}
.st-key-distillation [data-testid="stColumn"] {{ min-width: min(24rem, 100%); }}
.st-key-training {{ container-type: inline-size; }}
.st-key-film {{ height: calc(var(--tall) * 100cqw); flex: none !important; overflow-y: hidden; }}
:is(.st-key-film, [class*="st-key-run-"]) :is(.stElementContainer, .stPlotlyChart,
  div:has(> .stPlotlyChart)) {{ height: 100% !important; }}
.st-key-stage {{ display: grid; gap: .3rem 1.2rem; align-items: start; }}
.st-key-charts {{ display: grid; gap: .3rem 1rem; }}
.st-key-side {{ gap: .6rem; }}
[class*="st-key-run-"] {{ height: var(--h); flex: none !important; }}
[class*="st-key-run-"] > * {{ height: 100% !important; }}
.st-key-page > :has(> .st-key-tray) {{ position: sticky; bottom: 0; z-index: 50; }}
.st-key-tray {{ background: {colours.page}; border: {rule};
  border-radius: 6px; padding: .6rem .9rem; box-shadow: 0 -4px 18px rgba(0,0,0,.14); max-height: 36vh;
  overflow-y: auto; }}
.pz-images {{ display: flex; flex-wrap: wrap; gap: .55rem .5rem; }}
.pz-images figure {{ margin: 0; width: 92px; font-size: .74rem; line-height: 1.25; color: {colours.note}; }}
.pz-images .tile {{ display: block; width: 64px; height: 64px; border-radius: 3px; border: {rule};
  margin-bottom: .2rem; }}
.pz-images b {{ color: {colours.text}; font-weight: 600; }}
.pz-images .wrong b {{ text-decoration: underline dotted; }}
.st-key-pages {{ margin: .1rem -.5rem .2rem -.5rem; }}
.st-key-pages a {{ padding: .02rem .5rem; min-height: 1.7rem; border-radius: 5px; }}
.st-key-your-model {{ position: sticky; top: 0; z-index: 5; }}
.st-key-model {{ max-width: 58rem; gap: .9rem; }}
.pz-file {{ font-weight: 650; font-size: 1.02rem; overflow-wrap: anywhere; }}
[class*="st-key-head-"] > :first-child {{ flex: 1; min-width: 0; }}
.pz-ask {{ font-size: 1.05rem; margin: .2rem 0; }}
.pz-facts {{ display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; font-size: .86rem;
  margin: 0 0 .6rem 0; padding: 0 !important; }}
.pz-facts dt {{ color: {colours.note}; }}
.pz-facts dd {{ margin: 0; overflow-wrap: anywhere; }}
.pz-keys > .pz-scroll {{ max-height: 22rem; overflow-y: auto; }}
.pz-keys td:first-child {{ overflow-wrap: anywhere; }}
table.pz-table tr.pz-best td {{ font-weight: 650;
  background: color-mix(in srgb, {CLASS_COLOURS[0]} 9%, transparent); }}
.pz-fits {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: 1rem 1.6rem;
  font-size: .9rem; line-height: 1.45; margin-top: .4rem; }}
.pz-pairs {{ grid-template-columns: repeat(auto-fit, minmax(24rem, 1fr)); margin-bottom: 1.1rem; }}
.pz-fits code {{ font-size: .88em; }}
.pz-fits p {{ margin: .2rem 0 0 0; font-size: inherit; color: {colours.note}; }}
.pz-value {{ font-size: .88rem; color: {colours.note}; font-variant-numeric: tabular-nums;
  white-space: nowrap; }}
.st-key-empty {{ max-width: 46rem; margin-top: 6vh; }}
</style>"""
