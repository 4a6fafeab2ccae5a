"""The server that `penviz app` starts: it runs main.py for every change, and has files of its own."""

import streamlit as st

from penviz.app.component.served_files import SCRIPT, routes

app = st.App(SCRIPT, routes=routes())
