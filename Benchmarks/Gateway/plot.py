"""plot.py: the reads as an SVG for the README: one row for each server and case, one column for each size, drawn by hand."""
import statistics
from xml.sax.saxutils import escape

import report
import stand

ROWS = (
    ("nginx", "nginx", "static file, no policy, no log"),
    ("domestic", "Bailiwick, domestic read", "sealed tag checked, decision durable"),
    ("seen", "Bailiwick, cross-border", "and authorization, seen before"),
    ("new", "Bailiwick, cross-border", "and a new ES256 token each time"),
    ("haproxy", "haproxy", "ES256 token, claims, log line"),
    ("envoy", "Envoy", "ES256 token, claims, log line"),
)
WIDTH, LEFT, TOP, ROW, BAR, GAP, RIGHT = 980, 268, 96, 46, 22, 26, 24
COLUMN = (WIDTH - LEFT - RIGHT - 2 * GAP) / 3
LABEL = 58  # room for the figure beyond the longest bar
OURS, PEERS, INK, PALE, LINE = "#1f6f5c", "#a9b1b8", "#1d2429", "#66717a", "#e3e7ea"


def words(x, y, text, size=13, colour=INK, weight=400, anchor="start"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" font-weight="{weight}" '
            f'text-anchor="{anchor}">{escape(text)}</text>')


def figure(value):
    return f"{value / 1000:.1f}k" if value >= 1000 else f"{value:.0f}"


def column(results, size, left):
    rates = {}
    for label, *_ in ROWS:
        rates[label] = list(report.series(results, label, "per_cpu_second", size=size).values())
    longest = max(max(values) for values in rates.values())
    scale = (COLUMN - LABEL) / longest
    parts = [words(left, TOP - 16, f"GET {size}", 13, INK, 600),
             f'<line x1="{left:.1f}" y1="{TOP - 6}" x2="{left:.1f}" y2="{TOP + ROW * len(ROWS) - 8}" stroke="{LINE}"/>']
    for row, (label, *_) in enumerate(ROWS):
        values, middle = rates[label], TOP + ROW * row + ROW / 2 - 6
        median = statistics.median(values)
        colour = PEERS if label in ("nginx", "haproxy", "envoy") else OURS
        parts.append(f'<rect x="{left:.1f}" y="{middle - BAR / 2:.1f}" width="{median * scale:.1f}" height="{BAR}" rx="2" fill="{colour}"/>')
        low, high = left + min(values) * scale, left + max(values) * scale
        if high - low > 1:
            parts.append(f'<path d="M{low:.1f} {middle:.1f}H{high:.1f}M{low:.1f} {middle - 4:.1f}v8M{high:.1f} {middle - 4:.1f}v8" '
                         f'stroke="{INK}" stroke-width="1" fill="none" opacity="0.55"/>')
        parts.append(words(max(high, left + median * scale) + 6, middle + 4.5, figure(median), 13, INK, 600))
    return parts


def svg(results):
    height = TOP + ROW * len(ROWS) + 40
    machine = results["machine"]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif">',
        f'<rect width="{WIDTH}" height="{height}" rx="8" fill="#ffffff"/>',
        words(24, 34, "Requests per CPU-second of the server", 18, INK, 700),
        words(24, 55, f"TLS 1.3 with client certificates, {results['connections']} keep-alive connections; "
                      "longer is better; whiskers: least and greatest round", 12.5, PALE),
    ]
    for row, (_, name, what) in enumerate(ROWS):
        middle = TOP + ROW * row + ROW / 2 - 6
        parts += [words(24, middle - 2, name, 13.5, INK, 600), words(24, middle + 14, what, 12, PALE)]
    for position, size in enumerate(stand.SIZES):
        parts += column(results, size, LEFT + position * (COLUMN + GAP))
    parts.append(words(24, height - 18, f"{machine['processor']}, one core for the server; nginx {machine['nginx']}, "
                       f"haproxy {machine['haproxy'].split('-')[0]}, Envoy {machine['envoy']}, Linux {machine['kernel'].split('-')[0]}; "
                       f"{machine['date']}; make bench", 11.5, PALE))
    parts.append("</svg>")
    return "\n".join(parts) + "\n"
