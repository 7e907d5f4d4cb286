"""Heat maps of contracts by time as pictures of one pixel a cell, which the page enlarges.

A vector picture would hold an element for each of up to 100,000 cells; this takes under 100 kB.
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading.report.content import DONE, FAILED, MISSING, STALE, Matrix, ReportContent

Colour = tuple[int, int, int, int]
"""Red, green, blue and opacity, 0 to 255."""

EMPTY: Colour = (0, 0, 0, 0)
NEUTRAL: Colour = (128, 136, 148, 28)
LOSS, GAIN, STRONGEST, FAINTEST = (194, 64, 46), (18, 128, 92), 240, 40
STEPS = 5
"""Shades on either side of zero."""


@dataclass(frozen=True, slots=True, eq=False)
class HeatMap:
    """A picture with the meaning of its colours.

    Attributes:
        classes: Of each cell the index of its class, shape (k, b), uint8.
        colours: The colour of each class.
        names: What each class means.
    """

    classes: npt.NDArray[np.uint8]
    colours: tuple[Colour, ...]
    names: tuple[str, ...]

    def data_uri(self) -> str:
        """The picture as a URI that holds it."""
        picture = _png(self.classes, self.colours)
        return f"data:image/png;base64,{base64.b64encode(picture).decode()}"


def signals(content: ReportContent) -> HeatMap:
    """Net signals: red where a contract sold, green where it bought."""
    if content.time.bins == len(content.time.timestamps):
        classes = np.where(np.isfinite(content.signals), np.nan_to_num(content.signals) + 2, 0)
        colours = (EMPTY, (*LOSS, STRONGEST), NEUTRAL, (*GAIN, STRONGEST))
        return HeatMap(classes.astype(np.uint8), colours, ("no bar", "sell", "hold", "buy"))
    return _diverging(content.signals, 1.0, "net {}", "of the bars")


def returns(content: ReportContent) -> HeatMap:
    """Price changes; the strongest shade is that of the 98th percentile of their size."""
    known = np.abs(content.returns[np.isfinite(content.returns)])
    scale = float(np.quantile(known, 0.98)) if len(known) else 0.0
    return _diverging(content.returns, scale or 1.0, "{}", "%")


def status(content: ReportContent) -> HeatMap:
    """What became of the partitions; of several in one cell the worst shows."""
    codes = np.array([FAILED, MISSING, STALE, DONE])
    classes = np.zeros(content.status.shape, np.uint8)
    for i, code in enumerate(codes, 1):
        classes[content.status == code] = i
    colours = (EMPTY, (194, 64, 46, 255), (138, 148, 163, 90), (214, 145, 20, 255),
               (18, 128, 92, 170))  # fmt: skip
    return HeatMap(classes, colours, ("no bar", "failed", "missing", "stale", "done"))


def _diverging(values: Matrix, scale: float, form: str, unit: str) -> HeatMap:
    """Classes 0 for no value, then from the strongest loss by zero to the strongest gain."""
    # Away from zero, so that the smallest value other than zero has a colour.
    steps = np.sign(values) * np.ceil(np.minimum(np.abs(values) / scale, 1.0) * STEPS)
    classes = np.where(np.isfinite(values), np.nan_to_num(steps) + STEPS + 1, 0).astype(np.uint8)
    edges = [scale * step / STEPS for step in range(STEPS + 1)]
    names, colours = ["no value"], [EMPTY]
    for step in range(-STEPS, STEPS + 1):
        opacity = FAINTEST + (STRONGEST - FAINTEST) * (abs(step) - 1) // (STEPS - 1)
        colours.append((*(GAIN if step > 0 else LOSS), opacity) if step else NEUTRAL)
        names.append(_range(step, edges, form, unit))
    return HeatMap(classes, tuple(colours), tuple(names))


def _range(step: int, edges: Sequence[float], form: str, unit: str) -> str:
    if not step:
        return form.format("0")
    sign = "+" if step > 0 else "−"
    low, high = edges[abs(step) - 1], edges[abs(step)]
    if abs(step) == STEPS and unit == "%":
        return form.format(f"beyond {sign}{low:.2g} {unit}")
    if unit != "%":
        return form.format(f"{sign}{100 * low:.0f} to {sign}{100 * high:.0f} % {unit}")
    return form.format(f"{sign}{low:.2g} to {sign}{high:.2g} {unit}")


def _png(classes: npt.NDArray[np.uint8], colours: Sequence[Colour]) -> bytes:
    """A PNG with a palette (W3C, "Portable Network Graphics", 3rd ed. 2025, colour type 3)."""
    height, width = classes.shape
    lines = np.zeros((height, width + 1), np.uint8)  # each line begins with its filter, 0: none
    lines[:, 1:] = classes
    palette = b"".join(bytes(colour[:3]) for colour in colours)
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        (b"PLTE", palette),
        (b"tRNS", bytes(colour[3] for colour in colours)),
        (b"IDAT", zlib.compress(lines.tobytes(), 9)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def css(colour: Colour) -> str:
    """The colour as a style sheet writes it."""
    red, green, blue, opacity = colour
    return f"rgb({red} {green} {blue} / {opacity / 255:.2f})"
