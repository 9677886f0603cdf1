"""The figures: data in, SVG out."""
