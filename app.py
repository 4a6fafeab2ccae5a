"""`streamlit run app.py`: runs penviz/app/main.py for every change, and serves the files it refers to."""

import streamlit as st

from penviz.app.component.served_files import SCRIPT, routes

app = st.App(SCRIPT, routes=routes())
