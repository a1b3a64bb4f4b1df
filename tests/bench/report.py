"""
What was measured, for people (a table), for a document (the same in Markdown) and for programs (JSON).
"""

import json
import os
import platform
import subprocess

import rows

GOALS = {"x": "at most %g", "us": "%g us", "ms": "p99 %g ms", "bytes": "%g bytes",
         "/s": "%g", "reads": "%g"}
MARK = "<!-- bench: %s -->"


def _first_line(*command):
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    except OSError:
        return None
    return done.stdout.splitlines()[0].strip() if done.stdout else None


def _processor():
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def describe_machine(tools, filesystem):
    """Where it is measured, and with what; called before."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    versions = {
        "jpfs": _first_line(tools.jpfs, "--version"),
        "libfuse": _first_line("pkg-config", "--modversion", "fuse3"),
        "bindfs": tools.bindfs and _first_line(tools.bindfs, "--version"),
        "rg": _first_line("rg", "--version"),
        "git": _first_line("git", "--version"),
    }
    return {"processor": _processor(), "processors": len(os.sched_getaffinity(0)),
            "load": os.getloadavg()[0], "memory_gib": round(memory, 1), "kernel": platform.release(),
            "filesystem": filesystem,
            "versions": {name: text for name, text in versions.items() if text}}


def busyness(machine):
    """A warning where others were at work when it began, or None."""
    load, processors = machine.get("load", 0), machine["processors"]
    if load < processors / 2:
        return None
    return ("the machine was busy when this began (load %.1f on %d processors): trust the times less, the "
            "requests as ever" % (load, processors))


def is_met(result):
    """Whether a result is what was wanted; None: nothing was, or it is not about jpfs."""
    if result["front"] != "jpfs":
        return None
    if "met" in result:
        return result["met"]
    return rows.ROWS[result["row"]].is_met(result["value"])


def _number(value):
    if value >= 100:
        return "%.0f" % value
    return "%.1f" % value if value >= 10 else "%.2f" % value


def _verdict(result):
    met = is_met(result)
    return "" if met is None else "yes" if met else "NO"


def _spread(result):
    return "%s (%s-%s)" % tuple(_number(result[key]) for key in ("value", "min", "max"))


def _requests(result):
    total = result.get("requests", {}).get("total")
    return "" if total is None else str(total)


def _goal(row):
    return "" if row.at_most is None else GOALS[row.unit] % row.at_most


def _floor(fronts):
    """Measured with a daemon that has all answers ready, where there is one; or by empty requests."""
    if "answers" in fronts:
        return _number(fronts["answers"]["value"])
    return _number(fronts["jpfs"]["floor"]) if "floor" in fronts["jpfs"] else ""


def ratio_table(results):
    """The rows that are ratios, one line for each size of tree: all front ends side by side."""
    lines = [("", "conversations", "directory ms", "jpfs ms", "jpfs", "goal", "met", "cpu",
              "requests", "floor", "bindfs", "passthrough_ll")]
    grouped = {}
    for result in results:
        if result["unit"] == "x":
            grouped.setdefault((result["conversations"], result["row"]), {})[
                result["front"]] = result
    for (count, key), fronts in grouped.items():
        ours = fronts["jpfs"]
        lines.append((rows.ROWS[key].title, str(count), _number(ours["base_ms"]),
                      _number(ours["ms"]), _spread(ours), _goal(rows.ROWS[key]), _verdict(ours),
                      _number(ours["cpu"]) if "cpu" in ours else "", _requests(ours),
                      _floor(fronts),
                      *(_number(fronts[name]["value"]) if name in fronts else ""
                        for name in ("bindfs", "passthrough"))))
    return lines


def _absolute(result):
    if "p50" in result:
        return "p50 %s, p99 %s ms, at most %s" % tuple(
            _number(result[key]) for key in ("p50", "value", "max"))
    text = "%s %s" % (_number(result["value"]), result["unit"])
    if "min" in result:
        text += " (%s-%s)" % (_number(result["min"]), _number(result["max"]))
    return text


def absolute_table(results):
    """The rows that are about the daemon alone."""
    lines = [("", "conversations", "jpfs", "goal", "met")]
    for result in results:
        if result["unit"] != "x":
            row = rows.ROWS[result["row"]]
            goal = "it shrinks" if row.key == "memory-forgotten" else _goal(row)
            lines.append((row.title, str(result["conversations"]), _absolute(result), goal,
                          _verdict(result)))
    return lines


def _as_text(lines):
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip()
                   + "\n" for line in lines)


def _as_markdown(lines):
    text = "| " + " | ".join(lines[0]) + " |\n" + "|" + " --- |" * len(lines[0]) + "\n"
    for line in lines[1:]:
        text += "| " + " | ".join("**no**" if cell == "NO" else cell for cell in line) + " |\n"
    return text


def _requests_by_kind(results):
    """Which requests they were, for whoever wants to have fewer; the largest tree of each row."""
    lines = {}
    for result in results:
        counts = dict(result.get("requests", {}))
        if counts.pop("total", 0) > 0:
            kinds = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
            lines[result["row"]] = "%s: %s\n" % (
                rows.ROWS[result["row"]].title, ", ".join("%d %s" % (count, kind)
                                                          for kind, count in kinds))
    return "requests by kind\n" + "".join(lines.values()) if lines else None


def machine_line(machine):
    """One sentence about where it was measured."""
    return "%s, %d processors, %.0f GiB, Linux %s, %s; %s." % (
        machine["processor"], machine["processors"], machine["memory_gib"], machine["kernel"],
        machine["filesystem"], ", ".join(
            text if name in text else "%s %s" % (name, text)
            for name, text in machine["versions"].items()))


def to_text(measured):
    """For a terminal."""
    parts = [machine_line(measured["machine"]) + "\n"]
    for make in (ratio_table, absolute_table):
        lines = make(measured["results"])
        if len(lines) > 1:
            parts.append(_as_text(lines))
    if _requests_by_kind(measured["results"]):
        parts.append(_requests_by_kind(measured["results"]))
    for text in measured["left_out"]:
        parts.append("left out: %s\n" % text)
    if busyness(measured["machine"]):
        parts.append("note: %s\n" % busyness(measured["machine"]))
    return "\n".join(parts)


def to_markdown(measured):
    """For docs/performance.md."""
    parts = ["Measured %s on %s\n" % (measured["date"], machine_line(measured["machine"]))]
    for make in (ratio_table, absolute_table):
        lines = make(measured["results"])
        if len(lines) > 1:
            parts.append(_as_markdown(lines))
    if busyness(measured["machine"]):
        parts.append("Note: %s.\n" % busyness(measured["machine"]))
    return "\n".join(parts)


def update_document(path, measured):
    """Put the tables between the two marks of a document."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    begin, end = MARK % "begin", MARK % "end"
    before, rest = text.split(begin, 1)
    after = rest.split(end, 1)[1]
    with open(path, "w", encoding="utf-8") as file:
        file.write("%s%s\n%s%s%s" % (before, begin, to_markdown(measured), end, after))


def write_json(path, measured):
    for result in measured["results"]:
        row = rows.ROWS[result["row"]]
        result.update(title=row.title, goal=row.at_most, met=is_met(result))
    with open(path, "w", encoding="utf-8") as file:
        json.dump(measured, file, indent=2)
        file.write("\n")
