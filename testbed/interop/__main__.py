"""Send through each server and print what became of it; exit with 1 unless each was sent once."""

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from .sending import Tally, send
from .servers import LATENCY_MS, SERVERS, running

SENDS = 10_000
HEADINGS = [
    "server", "sends", "accepted", "twice", "never", "unknown", "retried", "connections", "s", "",
]  # fmt: skip
COLUMNS = "{:8} {:>7} {:>8} {:>5} {:>5} {:>7} {:>7} {:>11} {:>7}  {}"


def row(name: str, tally: Tally) -> str:
    """Return a line of the table."""
    causes = [*shown("unknown", tally.unknown_as), *shown("retried", tally.retried_as)]
    causes += shown("refused", tally.refused_as)
    return COLUMNS.format(
        name,
        tally.sends,
        tally.accepted,
        tally.twice,
        tally.never,
        tally.unknown_as.total(),
        tally.retried_as.total(),
        tally.connections,
        f"{tally.seconds:.1f}",
        ", ".join(causes),
    ).rstrip()


def shown(what: str, codes: Counter[str]) -> list[str]:
    """Return each code with its count."""
    return [f"{what} {code} {count}" for code, count in sorted(codes.items())]


def main() -> int:
    """Return 0 when each server that is installed took each notification once."""
    parser = argparse.ArgumentParser("python -m testbed.interop", description=__doc__)
    parser.add_argument("servers", nargs="*", default=list(SERVERS), metavar="SERVER")
    parser.add_argument("--sends", type=int, default=SENDS)
    parser.add_argument("--latency", type=float, default=LATENCY_MS, metavar="MS")
    parser.add_argument("--brief", action="store_true", help="servers end connections soon")
    options = parser.parse_args()
    print(COLUMNS.format(*HEADINGS))
    is_good = True
    for name in options.servers:
        if lacks := SERVERS[name].lacks:
            print(f"{name:8} skipped: {lacks}")
            continue
        setting = SERVERS[name].brief if options.brief else ""
        with (
            tempfile.TemporaryDirectory(prefix="interop-") as directory,
            running(name, Path(directory), latency_ms=options.latency, setting=setting) as target,
        ):
            tally = send(target, options.sends)
        print(row(name, tally), flush=True)
        is_good &= tally.is_good
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
