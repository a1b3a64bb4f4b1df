"""
A picture of the ratios: for each workload one bar for each of the four front ends, the directory itself
being the line at 1. The scale is logarithmic, because a bar of 60 beside one of 1 would hide the 1.
SVG by hand: it is text, needs nothing to be made or read, and looks the same in the dark.
"""

import math
from xml.sax.saxutils import escape

import rows

FRONTS = (("ext4", "the directory itself", "#8c8c8c"), ("jpfs", "jpfs", "#1a7f5a"),
          ("passthrough", "libfuse's passthrough_ll", "#d08a1d"), ("bindfs", "bindfs", "#b5493b"))
WIDTH, LEFT, RIGHT, TOP = 920, 370, 60, 70
BAR, GROUP_GAP = 9, 12
LEAST, GREATEST = 0.5, 100.0


def _x(ratio):
    part = (math.log10(min(max(ratio, LEAST), GREATEST)) - math.log10(LEAST)) / (
        math.log10(GREATEST) - math.log10(LEAST))
    return LEFT + part * (WIDTH - LEFT - RIGHT)


def _text(x, y, text, extra=""):
    return '<text x="%.1f" y="%.1f" %s>%s</text>' % (x, y, extra, escape(text))


def draw(measured):
    """The whole SVG of what was measured; the largest tree of each row."""
    ratios = {}
    for result in measured["results"]:
        if result["unit"] == "x":
            shown = ratios.setdefault(result["row"], {"conversations": 0})
            if result["conversations"] > shown["conversations"]:
                shown = ratios[result["row"]] = {"conversations": result["conversations"]}
            if result["conversations"] == shown["conversations"]:
                shown[result["front"]] = result["value"]
    keys = [key for key in rows.ROWS if key in ratios]
    group = len(FRONTS) * BAR + GROUP_GAP
    bottom = TOP + len(keys) * group
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" '
        'font-size="12">' % (WIDTH, bottom + 30),
        '<rect width="100%" height="100%" fill="white"/>',
        _text(12, 22, "Time as a ratio to the same command on the directory itself",
              'font-size="15" font-weight="bold"'),
    ]
    at = 12
    for _, title, colour in FRONTS:
        parts.append('<rect x="%d" y="34" width="12" height="12" fill="%s"/>' % (at, colour))
        parts.append(_text(at + 17, 45, title))
        at += 40 + 7 * len(title)
    for mark in (0.5, 1, 2, 5, 10, 20, 50, 100):
        parts.append('<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="%s"/>' % (
            _x(mark), _x(mark), TOP - 8, bottom, "#444" if mark == 1 else "#ddd"))
        parts.append(_text(_x(mark), bottom + 16, "%g" % mark, 'text-anchor="middle"'))
    for index, key in enumerate(keys):
        y = TOP + index * group
        title = "%s (%d)" % (rows.ROWS[key].title, ratios[key]["conversations"])
        parts.append(_text(LEFT - 8, y + group / 2 - 2, title, 'text-anchor="end"'))
        for bar, (name, _, colour) in enumerate(FRONTS):
            value = 1.0 if name == "ext4" else ratios[key].get(name)
            if value is None:
                continue
            parts.append('<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>' % (
                LEFT, y + bar * BAR, max(_x(value) - LEFT, 1), BAR - 1, colour))
            if name != "ext4":
                parts.append(_text(_x(value) + 4, y + bar * BAR + BAR - 1, "%.3g" % value,
                                   'font-size="9"'))
    return "\n".join(parts) + "\n</svg>\n"
