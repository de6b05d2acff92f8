"""A picture of the growth: three panels with logarithmic axes, as SVG."""

import math

WIDTH, HEIGHT, LEFT, TOP, GAP, BOTTOM = 300, 220, 56, 34, 74, 64
LINES = ["#1f77b4", "#ff7f0e", "#2ca02c"]
POINTS = ["#9467bd", "#d62728", "#8c564b"]


def powers(values):
    return math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))


def label(power):
    return {3: "1k", 4: "10k", 5: "100k", 6: "1M"}.get(power) or (f"{10**power:g}")


class Panel:
    """One diagram: series are `(name, [(tokens, value), …], colour)`, points `(name, tokens, value, colour)`."""

    def __init__(self, number, title, series, points):
        self.left = LEFT + number * (WIDTH + GAP)
        values = [value for _, line, _ in series for _, value in line] + [value for _, _, value, _ in points]
        self.x, self.y = powers([tokens for _, line, _ in series for tokens, _ in line]), powers(values)
        self.parts = [f'<text x="{self.left}" y="{TOP - 14}" class="title">{title}</text>']
        self.axes()
        for name, line, colour in series:
            path = " ".join(f"{self.at_x(tokens):.1f},{self.at_y(value):.1f}" for tokens, value in line)
            self.parts.append(f'<polyline points="{path}" stroke="{colour}"><title>{name}</title></polyline>')
            self.parts += [self.dot(tokens, value, colour, name) for tokens, value in line]
        self.parts += [self.dot(tokens, value, colour, name, 4.5) for name, tokens, value, colour in points]
        for position, (name, colour) in enumerate([(name, colour) for name, _, colour in series]):
            self.parts.append(
                f'<circle cx="{self.left + 12}" cy="{TOP + 12 + 16 * position}" r="3" fill="{colour}"/>'
                f'<text x="{self.left + 20}" y="{TOP + 16 + 16 * position}">{name}</text>'
            )

    def at_x(self, tokens):
        low, high = self.x
        return self.left + WIDTH * (math.log10(tokens) - low) / max(1, high - low)

    def at_y(self, value):
        low, high = self.y
        return TOP + HEIGHT * (1 - (math.log10(value) - low) / max(1, high - low))

    def dot(self, tokens, value, colour, name, radius=3):
        return f'<circle cx="{self.at_x(tokens):.1f}" cy="{self.at_y(value):.1f}" r="{radius}" fill="{colour}"><title>{name}: {value:.4g} at {tokens:,}</title></circle>'

    def axes(self):
        for power in range(self.x[0], self.x[1] + 1):
            x = self.at_x(10**power)
            self.parts.append(f'<path d="M{x:.1f} {TOP}V{TOP + HEIGHT}"/><text x="{x:.1f}" y="{TOP + HEIGHT + 16}" class="x">{label(power)}</text>')
        for power in range(self.y[0], self.y[1] + 1):
            y = self.at_y(10**power)
            self.parts.append(f'<path d="M{self.left} {y:.1f}h{WIDTH}"/><text x="{self.left - 6}" y="{y + 4:.1f}" class="y">{label(power)}</text>')
        self.parts.append(f'<text x="{self.left + WIDTH / 2}" y="{TOP + HEIGHT + 32}" class="x">tokens</text>')


def plot(results, rivals, compared):
    line = lambda value: [(result["tokens"], max(value(result), 1e-6)) for result in results]
    points = lambda value: [(rival["name"], compared, value(rival), colour) for rival, colour in zip(rivals, POINTS)]
    panels = [
        Panel(
            0,
            "Memory (MiB)",
            [("peak", line(lambda result: result["peak"]), LINES[0]), ("settled", line(lambda result: result["settled"]), LINES[2])],
            points(lambda rival: rival["peak"]),
        ),
        Panel(
            1,
            "Scrape, gzip (ms)",
            [
                ("exporter", line(lambda result: result["gzip"]["exporter"]["seconds"] * 1000), LINES[0]),
                ("nginx, same bytes", line(lambda result: result["gzip"]["nginx"]["seconds"] * 1000), LINES[1]),
            ],
            points(lambda rival: rival["gzip"]["seconds"] * 1000),
        ),
        Panel(
            2,
            "CPU (s)",
            [
                ("first collection", line(lambda result: max(result["collection"]["cpu"], 0.01)), LINES[0]),
                ("one changed token", line(lambda result: max(result["change"]["cpu"], 0.01)), LINES[2]),
            ],
            points(lambda rival: max(rival["collection"]["cpu"], 0.01)),
        ),
    ]
    width, height = LEFT + 3 * (WIDTH + GAP) - GAP + 20, TOP + HEIGHT + BOTTOM
    legend = "".join(
        f'<circle cx="{LEFT + 12 + 240 * number}" cy="{height - 14}" r="4.5" fill="{colour}"/>'
        f'<text x="{LEFT + 22 + 240 * number}" y="{height - 10}">{rival["name"]}, at {compared:,}</text>'
        for number, (rival, colour) in enumerate(zip(rivals, POINTS))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">\n'
        "<style>text{fill:#333}.title{font-size:13px;font-weight:bold}.x{text-anchor:middle}.y{text-anchor:end}"
        "path{stroke:#ddd;fill:none}polyline{fill:none;stroke-width:2}</style>\n"
        f'<rect width="{width}" height="{height}" fill="#fff"/>\n' + "\n".join(part for panel in panels for part in panel.parts) + f"\n{legend}\n</svg>\n"
    )
