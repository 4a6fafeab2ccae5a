"""Entry point of the app: navigation, nothing else.

Streamlit runs this file (`penviz app`), or app.py of a checkout, again for every change; what it reads before
either lies in .streamlit beside it.
"""

import streamlit as st

from penviz.app.links import draw_links
from penviz.app.pages.calibration import show_calibration
from penviz.app.pages.clusters import show_grid
from penviz.app.pages.distillation import show_distillation
from penviz.app.pages.sweep import show_sweep
from penviz.app.pages.targets import show_targets
from penviz.app.pages.training_dynamics import show_training
from penviz.app.pages.triples import show_triples
from penviz.app.pages.your_model import show_model
from penviz.app.widget_states import mend_widget_states, say_reset
from penviz.app.widgets.train_here import choose_trained

ICON = (  # drawn here: an icon by name would be fetched from the net
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Ccircle cx='4' cy='11' r='3' fill='%230072B2'/%3E%3Crect x='9.4' y='8.4' width='5.2' height='5.2' "
    "fill='%23D55E00'/%3E%3Cpath d='M8 1l3.4 6H4.6z' fill='%23009E73'/%3E%3C/svg%3E"
)


def show_app() -> None:
    """Draw the page that the address names."""
    mend_widget_states()
    st.set_page_config(page_title="penviz", page_icon=ICON, layout="wide")
    pages = {
        "Template plane": st.Page(show_grid, title="penviz", default=True),
        "Calibration": st.Page(show_calibration, title="Calibration · penviz", url_path="calibration"),
        "Distillation": st.Page(show_distillation, title="Distillation · penviz", url_path="distillation"),
        "Over training": st.Page(show_training, title="Over training · penviz", url_path="over-training"),
        "Sweep": st.Page(show_sweep, title="Sweep · penviz", url_path="sweep"),
        "Triples": st.Page(show_triples, title="Triples · penviz", url_path="triples"),
        "Targets": st.Page(show_targets, title="Targets · penviz", url_path="targets"),
        "Your model": st.Page(show_model, title="Your model · penviz", url_path="your-model"),
    }
    page = st.navigation(list(pages.values()), position="hidden")
    choose_trained()
    draw_links(pages, next(label for label, one in pages.items() if one == page))
    page.run()
    say_reset()


if __name__ == "__main__":
    show_app()
