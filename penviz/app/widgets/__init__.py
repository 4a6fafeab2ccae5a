"""Streamlit pages and widgets; no arithmetic."""
