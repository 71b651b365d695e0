#!/usr/bin/python3
"""Runs a command on a terminal of its own and draws what it showed, as it moved, into an SVG.

    . .stack/env && export SLUICE_URL SLUICE_TOKEN PATH
    docs/images/capture.py docs/images/deploy.svg --still 'switch-traffic.*Point' -- sluice deploy inopnc production v1.2.3 --wait

Every screen is one that the command really drew, shown for as long as it stood there.  --still: where nothing moves (a
viewer without CSS animation, a reader who wants none), the last screen that matches.
"""

import argparse
import fcntl
import os
import pty
import re
import select
import shlex
import struct
import sys
import termios
import time
from xml.sax.saxutils import escape

COLUMNS, ROWS, CELL, LINE, MARGIN = 100, 20, 8.4, 19, 16
HOLD = 4.0  # seconds for which the last screen stays before it begins again
COLORS = {31: "r", 32: "g", 33: "y", 36: "c"}
STYLE = """text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#d0d7de;white-space:pre}
.b{font-weight:bold;fill:#fff}.d{fill:#8b949e}.r{fill:#ff7b72}.g{fill:#3fb950}.y{fill:#d29922}.c{fill:#39c5cf}"""


class Screen:
    """As much of a terminal as `sluice` uses: colors, cursor up, erase to the end of line and screen."""

    def __init__(self):
        self.cells, self.row, self.column, self.style = [[] for _ in range(ROWS)], 0, 0, ""

    def put(self, char):
        line = self.cells[self.row]
        line.extend([(" ", "")] * (self.column + 1 - len(line)))
        line[self.column] = (char, self.style)
        self.column += 1

    def control(self, numbers, final):
        n = int(numbers or 0) if numbers.isdigit() or not numbers else 0
        if final == "A":
            self.row = max(0, self.row - max(1, n))
        elif final in "KJ":
            del self.cells[self.row][self.column:]
            if final == "J":
                for row in range(self.row + 1, ROWS):
                    self.cells[row] = []
        elif final == "m":
            self.style = {0: "", 1: "b", 2: "d"}.get(n, COLORS.get(n, ""))

    def feed(self, text):
        for found in re.finditer(r"\x1b\[\??([\d;]*)([A-Za-z])|([^\x1b])", text):
            numbers, final, char = found.groups()
            if final:
                self.control(numbers, final)
            elif char == "\r":
                self.column = 0
            elif char == "\n":
                self.row, self.column = min(self.row + 1, ROWS - 1), 0
            else:
                self.put(char)

    def lines(self):
        """Each line as [(column, style, text)]."""
        drawn = []
        for line in self.cells:
            runs = []
            for column, (char, style) in enumerate(line):
                alone = ord(char) > 127  # may be wider or narrower in a reader's font: placed by itself
                if runs and runs[-1][1] == style and not alone and not runs[-1][3]:
                    runs[-1][2] += char
                else:
                    runs.append([column, style, char, alone])
            drawn.append(tuple((column + found.start(), style, found[0]) for column, style, text, _ in runs
                               for found in re.finditer(r"\S+( \S+)*", text)))  # spaces are positions, not text
        return tuple(drawn)


def run(command):
    """[(seconds since the start, screen)], each screen different from the one before; the exit status."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", LANG="C.UTF-8", LC_ALL="C.UTF-8")
        os.execvp(command[0], command)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS - 1, COLUMNS, 0, 0))
    screen, began, frames, rest = Screen(), time.monotonic(), [], b""
    screen.feed("\x1b[2m$\x1b[0m \x1b[1m" + shlex.join(command) + "\x1b[0m\n")
    frames.append((0.0, screen.lines()))
    while rest is not None:
        if rest and not select.select([terminal], [], [], 0.005)[0]:  # drawn in one piece, read in several
            screen.feed(rest.decode())
            rest = b""
        else:
            try:
                rest += os.read(terminal, 65536)
                continue
            except OSError:
                screen.feed(rest.decode())
                rest = None
        if screen.lines() != frames[-1][1]:
            frames.append((time.monotonic() - began, screen.lines()))
    return frames, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def svg(frames, still):
    rows = max(i + 1 for _, lines in frames for i, line in enumerate(lines) if line)
    width, height = COLUMNS * CELL + 2 * MARGIN, rows * LINE + 2 * MARGIN
    known, body, keys = {}, [], []
    length = frames[-1][0] + HOLD
    for i, (at, lines) in enumerate(frames):
        keys.append(f"{at / length * 100:.3f}%{{transform:translateY({-i * height:g}px)}}")
        for row, line in enumerate(lines):
            if line:
                name = known.setdefault(line, f"l{len(known)}")
                body.append(f'<use href="#{name}" y="{i * height + MARGIN + row * LINE + 14:g}"/>')
    symbols = "".join('<text id="{}">{}</text>'.format(name, "".join(
        f'<tspan x="{MARGIN + c * CELL:g}"{f" class={chr(34)}{s}{chr(34)}" if s else ""}>{escape(t)}</tspan>' for c, s, t in line))
        for line, name in known.items())
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}">
<!-- Made by docs/images/capture.py from a real run. -->
<style>{STYLE}
.film{{transform:translateY({-still * height:g}px)}}
@media (prefers-reduced-motion:no-preference){{.film{{animation:film {length:.2f}s steps(1,end) infinite}}}}
@keyframes film{{{"".join(keys)}}}</style>
<defs>{symbols}</defs>
<rect width="100%" height="100%" rx="8" fill="#0d1117"/>
<g class="film" transform="translate(0 {-still * height:g})">{"".join(body)}</g>
</svg>
"""


def main():
    parser = argparse.ArgumentParser(usage="capture.py FILE [--still REGEX] -- COMMAND…")
    parser.add_argument("file")
    parser.add_argument("--still", default="")
    parser.add_argument("command", nargs="+")
    asked = parser.parse_args()
    frames, status = run(asked.command)

    def text(lines):
        return "\n".join(" ".join(t for _, _, t in line) for line in lines).rstrip()
    matching = [i for i, (_, lines) in enumerate(frames) if re.search(asked.still, text(lines))]
    with open(asked.file, "w", encoding="utf-8") as file:
        file.write(svg(frames, matching[-1] if matching else len(frames) - 1))
    print(f"{asked.file}: {len(frames)} screens in {frames[-1][0]:.1f} s, exit status {status}\n{text(frames[-1][1])}")
    return status


if __name__ == "__main__":
    sys.exit(main())
