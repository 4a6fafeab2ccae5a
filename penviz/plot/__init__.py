"""Everything that draws: one Panel, several renderers."""
