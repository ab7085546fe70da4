"""Scraping: serves the worker's metrics to Prometheus, at METRICS_PORT of loopback."""

import logging
import threading

from prometheus_client import CollectorRegistry, start_http_server

logger = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"


def serve(registry: CollectorRegistry, *, port: int) -> None:
    """Serve from threads of its own, which end with the process; nothing where `port` is 0."""
    if port:
        # Python's server asks for the name of its own address, which a name server may delay.
        threading.Thread(target=listen, args=(registry, port), name="metrics", daemon=True).start()


def listen(registry: CollectorRegistry, port: int) -> None:
    """Begin to serve; a port that cannot be had leaves the worker unseen, and it sends as ever."""
    try:
        start_http_server(port, LOOPBACK, registry)
    except OSError as error:
        then = "nobody can read this worker's metrics: free the port or change METRICS_PORT"
        logger.warning(
            "metrics.failed", extra={"port": port, "error": error.strerror, "then": then}
        )
    else:
        logger.info("metrics.served", extra={"address": f"http://{LOOPBACK}:{port}/metrics"})
