"""Pages with text: annotations of lines, maps of where lines are and back, reading order, lines cut out, pages drawn.

A line is a quadrilateral, (4, 2) corners x, y in pixels, clockwise from where its text begins on top.
"""

from .annotations import TextPage, is_text_pages, read_text_pages
from .cutting import cut_line
from .drawing import drawn_lines
from .found_line import FoundLine
from .maps import decoded_lines, encoded_lines
from .matching import line_scores, matched_lines
from .page_data import PageData
from .quadrilaterals import as_quadrilaterals, bounds, of_boxes
from .reading_order import reading_order
from .synthetic import synthetic_pages

__all__ = [
    "FoundLine",
    "PageData",
    "TextPage",
    "as_quadrilaterals",
    "bounds",
    "cut_line",
    "decoded_lines",
    "drawn_lines",
    "encoded_lines",
    "is_text_pages",
    "line_scores",
    "matched_lines",
    "of_boxes",
    "read_text_pages",
    "reading_order",
    "synthetic_pages",
]
