"""A payload as a picture: half blocks for a terminal, SVG for a page.

Idea      Error correction M, the smallest version that fits. In the terminal two rows of modules share a
          line; light modules are drawn, so the code reads on a dark background.
"""

import io

import segno

QUIET_MODULES = 4
# By (upper is light, lower is light).
BLOCKS = {(True, True): "█", (True, False): "▀", (False, True): "▄", (False, False): " "}


def build_qr(payload: str) -> segno.QRCode:
    """The QR code of a payload."""
    return segno.make_qr(payload, error="m", boost_error=False)


def draw_for_terminal(payload: str) -> str:
    """The QR code as text with its quiet zone, to be shown in a fixed-width font, light on dark."""
    rows = [[not dark for dark in row] for row in build_qr(payload).matrix_iter(border=QUIET_MODULES)]
    if len(rows) % 2:
        rows.append([True] * len(rows[0]))
    pairs = zip(rows[::2], rows[1::2], strict=True)
    return "\n".join(
        "".join(BLOCKS[upper, lower] for upper, lower in zip(*pair, strict=True)) for pair in pairs
    )


def draw_as_svg(payload: str) -> str:
    """The QR code as an SVG document, black on white."""
    out = io.BytesIO()
    build_qr(payload).save(
        out, kind="svg", border=QUIET_MODULES, scale=4, dark="#000", light="#fff", title="ticket"
    )
    return out.getvalue().decode()
