"""The linked panels: a Streamlit component in plain JavaScript, its data, and the files that it reads."""
