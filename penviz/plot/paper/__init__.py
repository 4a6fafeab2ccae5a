"""Figures for papers: matplotlib and TikZ, at a venue's own width."""
