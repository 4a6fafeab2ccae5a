"""`streamlit run app.py`: the app itself is penviz/app/main.py; each run calls its function anew."""

from penviz.app.main import show_app

show_app()
