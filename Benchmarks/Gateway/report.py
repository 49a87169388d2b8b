"""report.py: from runs to figures: medians with their spread, ratios within a round, and what they are held against."""
import statistics

import stand

SIZES = list(stand.SIZES)
# Requests per CPU-second of the server, as ratios: at least the first, and the second is what we want to be able to say.
RATIOS = (
    ("cross-border read, token seen before, against haproxy", "seen", "haproxy", {"4 KiB": (5, 7), "64 KiB": (3, 4), "1 MiB": (3, 4)}),
    ("cross-border read, new token each time, against haproxy", "new", "haproxy",
     {"4 KiB": (1.5, 1.9), "64 KiB": (1.5, 1.8), "1 MiB": (2.5, 3)}),
    ("domestic read, against nginx with no policy", "domestic", "nginx",
     {"4 KiB": (0.65, 0.9), "64 KiB": (1.0, 1.3), "1 MiB": (1.2, 1.5)}),
    ("domestic read, another object each time, against nginx likewise", "apart", "nginx apart", {"4 KiB": (0.65, 0.9)}),
)
P99_US_MAX = 6000
SINGLE_EXTRA_US = 300
IDLE_KIB_MAX = 60
PUT_RATIO = 0.8
LOOPS_RATIO = 0.9
TITLES = dict(stand.CASE_TITLES, **{"nginx apart": "nginx, another object each time"}, nginx="nginx, no policy", haproxy="haproxy, token and log line", envoy="Envoy, token and log line")
ORDER = ("nginx", "domestic", "nginx apart", "apart", "seen", "new", "first", "haproxy", "envoy")


def spread(values):
    return {"value": statistics.median(values), "least": min(values), "greatest": max(values)}


def series(results, label, field, kind=None, size=None):
    """The values of one field, by round."""
    return {run["round"]: run[field] for run in results["runs"]
            if run["label"] == label and run.get("kind") == kind and (size is None or run.get("size") == size)}


def ratio(above, below):
    return spread([above[number] / below[number] for number in sorted(above.keys() & below.keys())])


def target(name, figure, unit, bound, at_least, aim=None):
    value = figure["value"]
    return {"name": name, **figure, "unit": unit, "bound": bound, "aim": aim, "at_least": at_least,
            "met": value >= bound if at_least else value <= bound}


def targets(results):
    found = []
    for title, label, peer, bounds in RATIOS:
        for size, (bound, aim) in bounds.items():
            figure = ratio(series(results, label, "per_cpu_second", size=size), series(results, peer, "per_cpu_second", size=size))
            found.append(target(f"{title}, {size}", figure, "times", bound, True, aim))

    def of(label, field, kind):
        return series(results, label, field, kind)

    found.append(target("full mTLS handshakes per CPU-second, against nginx",
                        ratio(of("bailiwickd", "per_cpu_second", "handshake"), of("nginx", "per_cpu_second", "handshake")),
                        "times", 1.0, True))
    for case in ("domestic", "seen", "new"):
        found.append(target(f"p99, 4 KiB, {results['connections']} connections, {stand.CASE_TITLES[case]}",
                            spread(list(series(results, case, "p99_us", size="4 KiB").values())), "us", P99_US_MAX, False))
    # The disk's best round is what it can do: others' writes slow it in the other ones.
    single, least = of("bailiwickd", "p50_us", "single"), min(of("disk", "p50_us", "single").values())
    found.append(target("p50, one connection, beyond one durable write of the disk",
                        spread([value - least for value in single.values()]), "us", SINGLE_EXTRA_US, False))
    found.append(target("PUT of 4 KiB a second, against a C program's same durable calls",
                        ratio(of("bailiwickd", "per_second", "put"), of("c", "per_second", "put")), "times", PUT_RATIO, True))
    idle = next(run for run in results["runs"] if run.get("kind") == "idle")
    found.append(target(f"each of {idle['connections']:,} idle connections", spread([idle["bytes_each"] / 1024]), "KiB", IDLE_KIB_MAX, False))
    found.append(target("two event loops, requests per CPU-second, against one",
                        ratio(of("two", "per_cpu_second", "loops"), of("one", "per_cpu_second", "loops")), "times", LOOPS_RATIO, True))
    return found


def insert(path, name, text):
    """Puts the text between the two comments that a page has for it."""
    begin, end = f"<!-- {name}: written by Benchmarks/Gateway -->", f"<!-- {name} ends -->"
    page = path.read_text()
    if begin not in page or end not in page:
        raise SystemExit(f"{path} has no place for {name}")
    path.write_text(page.split(begin)[0] + begin + "\n\n" + text.rstrip() + "\n\n" + end + page.split(end)[1])


def number(value, unit=""):
    return f"{value:.2f}" if unit == "times" else f"{value:,.0f}"


def text(results):
    machine = results["machine"]
    lines = [
        f"{machine['processor']}, {machine['processors']} processors, Linux {machine['kernel']}, OpenSSL {machine['openssl']}, {machine['date']}",
        f"bailiwickd beside nginx {machine['nginx']}, haproxy {machine['haproxy']}, Envoy {machine['envoy']}; "
        f"medians of {results['rounds']} rounds of {results['seconds']:g} s, {results['connections']} connections, TLS 1.3, client certificates",
        "",
    ]
    for size in SIZES:
        lines.append(f"{'GET ' + size:42}{'per CPU-second':>15}{'least':>9}{'greatest':>9}{'per second':>12}{'p50 us':>9}{'p99 us':>9}")
        for label in ORDER:
            rates = list(series(results, label, "per_cpu_second", size=size).values())
            if not rates:
                continue
            median = [statistics.median(series(results, label, field, size=size).values()) for field in ("per_second", "p50_us", "p99_us")]
            lines.append(f"{TITLES[label]:42}{statistics.median(rates):15,.0f}{min(rates):9,.0f}{max(rates):9,.0f}"
                         f"{median[0]:12,.0f}{median[1]:9,.0f}{median[2]:9,.0f}")
        lines.append("")
    lines.append(f"{'target':72}{'measured':>9}{'least':>9}{'greatest':>9}{'bound':>9}{'aim':>7}")
    for item in results["targets"]:
        cells = [number(item[key], item["unit"]) for key in ("value", "least", "greatest")]
        bound = ("" if item["at_least"] else "<= ") + f"{item['bound']:,g}"
        aim = f"{item['aim']:g}" if item["aim"] else ""
        mark = "ok  " if item["met"] else "MISS"
        lines.append(f"{mark} {item['name'] + (', ' + item['unit'] if item['unit'] != 'times' else ''):67}"
                     f"{cells[0]:>9}{cells[1]:>9}{cells[2]:>9}{bound:>9}{aim:>7}")
    lines += ["", *(f"log, {case} read: {size:,.0f} bytes a decision" for case, size in results["log_bytes"].items())]
    return "\n".join(lines) + "\n"
