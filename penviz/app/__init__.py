"""The app's entry and its Streamlit configuration."""
