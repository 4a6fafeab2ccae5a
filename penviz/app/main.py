"""Entry point of the app: navigation, nothing else.

Streamlit runs this file (`penviz app`), or app.py of a checkout, again for every change; what it reads before
either lies in .streamlit beside it.
"""

from collections.abc import Mapping

import streamlit as st
from streamlit.navigation.page import Page

from penviz.app.links import draw_links
from penviz.app.page.calibration import show_calibration
from penviz.app.page.clusters import show_clusters
from penviz.app.page.distillation import show_distillation
from penviz.app.page.sweep import show_sweep
from penviz.app.page.training_dynamics import show_training
from penviz.app.page.your_model import show_model
from penviz.app.widget_states import mend_widget_states, say_reset
from penviz.app.widgets.page_width import watch_width
from penviz.app.widgets.tour import follow_tour
from penviz.app.widgets.train_here import choose_trained

ICON = (  # drawn here: an icon by name would be fetched from the net
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Ccircle cx='4' cy='11' r='3' fill='%230072B2'/%3E%3Crect x='9.4' y='8.4' width='5.2' height='5.2' "
    "fill='%23D55E00'/%3E%3Cpath d='M8 1l3.4 6H4.6z' fill='%23009E73'/%3E%3C/svg%3E"
)


MOVED = {"over-training": "Training dynamics", "triples": "Clusters", "targets": "Clusters"}
# Address of version 0.1 -> the page that takes its parameters; a string here would be written on the page.


def show_app() -> None:
    """Draw the page that the address names."""
    mend_widget_states()
    st.set_page_config(page_title="penviz", page_icon=ICON, layout="wide")
    pages = {
        "Clusters": st.Page(show_clusters, title="penviz", default=True),
        "Training dynamics": st.Page(
            show_training, title="Training dynamics · penviz", url_path="training-dynamics"
        ),
        "Sweep": st.Page(show_sweep, title="Sweep · penviz", url_path="sweep"),
        "Calibration": st.Page(show_calibration, title="Calibration · penviz", url_path="calibration"),
        "Distillation": st.Page(show_distillation, title="Distillation · penviz", url_path="distillation"),
        "Your model": st.Page(show_model, title="Your model · penviz", url_path="your-model"),
    }
    moved = [st.Page(_moved, title="penviz", url_path=old) for old in MOVED]
    page = st.navigation([*pages.values(), *moved], position="hidden")
    lead_on(page.url_path, pages)
    choose_trained()
    current = next(label for label, one in pages.items() if one == page)
    draw_links(pages, current)
    watch_width()
    follow_tour(pages, current)
    page.run()
    say_reset()


def _moved() -> None:
    """A page that is elsewhere now: `lead_on` has gone there before this could be drawn."""


def lead_on(address: str, pages: Mapping[str, Page]) -> None:
    """From an address of version 0.1 to where its page is now, parameters and all."""
    parameters = {key: st.query_params.get_all(key) for key in st.query_params}
    label = MOVED.get(address, "")
    if address == "" and parameters.pop("dial", None) == ["true"]:
        label = "Sweep"
    if address == "targets":
        parameters["targets"] = ["open"]
    if label:
        st.switch_page(pages[label], query_params=parameters)


if __name__ == "__main__":
    show_app()
