"""Counters that Prometheus, and SageMaker's detailed observability, read from ``/metrics``."""

import bisect

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Seconds."""


class Metrics:
    """Of answered requests to the model; health probes and metrics are not counted."""

    def __init__(self):
        self.by_status = {}
        self.buckets = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0
        self.received = 0
        self.sent = 0
        self.broken = 0
        """Streamed answers that failed in their middle."""

    def record(self, status, seconds, received, sent):
        """``received`` and ``sent`` are bytes of bodies."""
        self.by_status[status] = self.by_status.get(status, 0) + 1
        self.buckets[bisect.bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds
        self.received += received
        self.sent += sent

    def text(self, gauges):
        """Prometheus text format 0.0.4; ``gauges`` are (name, help, type, value)."""
        lines = ["# HELP mlops_requests_total Answered requests by status.",
                 "# TYPE mlops_requests_total counter"]  # fmt: skip
        for status in sorted(self.by_status):
            lines.append('mlops_requests_total{code="%d"} %d' % (status, self.by_status[status]))
        lines += ["# HELP mlops_request_seconds Time from a whole request to its answer.",
                  "# TYPE mlops_request_seconds histogram"]  # fmt: skip
        total = 0
        for bound, count in zip(BOUNDS, self.buckets):  # noqa: B905 (not in 3.8)
            total += count
            lines.append('mlops_request_seconds_bucket{le="%g"} %d' % (bound, total))
        total += self.buckets[-1]
        lines.append('mlops_request_seconds_bucket{le="+Inf"} %d' % total)
        lines.append("mlops_request_seconds_sum %.6f" % self.seconds)
        lines.append("mlops_request_seconds_count %d" % total)
        gauges = [
            ("mlops_request_bytes_total", "Bytes of request bodies.", "counter", self.received),
            ("mlops_response_bytes_total", "Bytes of response bodies.", "counter", self.sent),
            ("mlops_streams_broken_total", "Streamed answers cut off.", "counter", self.broken),
            *gauges,
        ]
        for name, about, kind, value in gauges:
            lines += ["# HELP %s %s" % (name, about), "# TYPE %s %s" % (name, kind)]
            lines.append("%s %s" % (name, ("%.3f" % value).rstrip("0").rstrip(".")))
        return "\n".join(lines) + "\n"
