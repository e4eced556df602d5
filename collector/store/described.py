"""What every view and every column of it means: shown by Datasette."""

SECONDS = {
    "up_s": "seconds up",
    "degraded_s": "seconds degraded: it answered, but slowly or saying that something is wrong",
    "down_s": "seconds down, outside maintenance",
    "unknown_s": "seconds in which nothing was known",
    "maintenance_s": "seconds inside a maintenance window, whatever the state",
    "maintenance_down_s": "of these, seconds down",
    "uptime_pct": "(up + degraded) / (up + degraded + down), floored to three places; null below half observed",
    "observed_pct": "share of the time outside maintenance in which something was known",
    "incidents": "outages that touch this stretch",
}
SERVICE = {"service": "the service's key, given once and never changed", "service_name": "its display name"}

SPAN_S = {
    "started_s": "started in seconds since 1970: filter and sort by this",
    "ended_s": "ended in seconds since 1970",
}
AT_MS = {"at_ms": "at in milliseconds since 1970: filter and sort by this"}
SEEN = {
    "first_seen": "first time",
    "last_seen": "last time",
    "first_seen_ms": "the first time in milliseconds since 1970",
    "last_seen_ms": "the last time in milliseconds since 1970",
}

DOCS: dict[str, tuple[str, dict[str, str]]] = {
    "services": (
        "One row a service, with its state at this moment.",
        {
            "key": "source/project/name as first seen; never changes",
            "slug": "the only identity that published files show",
            "name": "display name",
            "group_name": "the group it is shown in",
            "source": "the source that saw it first",
            "public": "1: it is on the public page",
            "state": "up, degraded, down or unknown; null once retired",
            "reason": "why, from a closed vocabulary",
            "since": "when that state began",
            "last_checked": "the newest observation of any of its checks",
            "first_seen": "when it was first found or configured",
            "last_seen": "when a source last saw it",
            "retired": "when it was taken off the page",
            "description": "as its declaration says",
            "since_s": "since in seconds since 1970",
            "last_checked_ms": "last_checked in milliseconds since 1970",
        },
    ),
    "checks": (
        "One row a check: what is asked, how often, and where it stands.",
        {
            "key": "service key + kind + declared name",
            **SERVICE,
            "kind": "http, tcp, ...",
            "role": "liveness, readiness or startup",
            "target": "what is asked",
            "every_s": "the interval in force",
            "declared_every_s": "the interval that was declared",
            "timeout_s": "how long an answer may take",
            "failure_threshold": "failures in a row that make it down",
            "success_threshold": "passes in a row that make it up",
            "grace_s": "how long failures do not count after first sight",
            "state": "its own state at this moment",
            "since": "when that state began",
            "reason": "why",
            "last_ms": "its newest observation in milliseconds since 1970",
        },
    ),
    "observations": (
        "Every single answer, kept for 90 days unless configured otherwise.",
        {
            **SERVICE,
            "check_key": "the check that asked",
            "at": "when it asked, to the millisecond",
            "outcome": "pass, warn, fail or unknown",
            "latency_ms": "how long the answer took",
            "code": "the status code, where there is one",
            "reason": "why it was not a plain pass",
            "attempt": "1 answered for its slot, 2 and 3 confirmed a failure",
            "every_ms": "the interval in force then",
            **AT_MS,
        },
    ),
    "spans": (
        "Stretches of time in one state: every second of a service's life is in exactly one.",
        {
            **SERVICE,
            "state": "up, degraded, down or unknown",
            "started": "its first second",
            "ended": "the first second after it; null: still",
            "seconds": "how long",
            "reason": "of the observation it is dated to",
            "maintenance": "1: inside a maintenance window",
            **SPAN_S,
        },
    ),
    "incidents": (
        "Outages: from the first down second to the next up or degraded one.",
        {
            "id": "stays the same as long as service and start do",
            **SERVICE,
            "started": "the first down second",
            "ended": "null: still",
            "seconds": "down, without unknown and maintenance in between",
            "reason": "of the first failed observation",
            **SPAN_S,
        },
    ),
    "uptime_daily": (
        "Uptime by day of the configured zone.",
        {**SERVICE, "day": "YYYY-MM-DD in that zone", **SECONDS, **SPAN_S},
    ),
    "uptime_monthly": (
        "Uptime by calendar month of the configured zone; the newest one so far.",
        {**SERVICE, "month": "YYYY-MM in that zone", **SECONDS, **SPAN_S},
    ),
    "uptime": (
        "Uptime of the last 24 hours, and of 7, 30, 90 and 365 days with today so far.",
        {**SERVICE, "period": "24h, 7d, 30d, 90d or 365d", **SECONDS, **SPAN_S},
    ),
    "latency_daily": (
        "How fast the passes and warnings of a closed day were; exact.",
        {
            **SERVICE,
            "day": "YYYY-MM-DD in the configured zone",
            "observations": "how many",
            "p50_ms": "half were at most this slow",
            "p95_ms": "95 of 100",
            "p99_ms": "99 of 100",
            "max_ms": "the slowest",
        },
    ),
    **{
        f"latency_{adverb}": (
            f"How fast the passes and warnings of a {label} were, merged from its days; percentiles are 2% wrong at most.",
            {
                **SERVICE,
                label: meaning,
                "observations": "how many",
                "p50_ms": "half were at most this slow",
                "p95_ms": "95 of 100",
                "p99_ms": "99 of 100",
                "max_ms": "the slowest; exact",
            },
        )
        for adverb, label, meaning in (
            ("weekly", "week", "its Monday, YYYY-MM-DD in the configured zone"),
            ("monthly", "month", "YYYY-MM in the configured zone"),
        )
    },
    "flapping": (
        "Services whose state changed four times or more within the last hour, not counting what is not known.",
        {
            **SERVICE,
            "flips": "how often",
            "failed": "answers of that hour that failed",
            "observations": "answers of that hour",
        },
    ),
    "corrections": (
        "What people know better about a stretch of the past; every figure honours it, no row is edited.",
        {
            "id": "for `uplog correct --undo`",
            **SERVICE,
            "started": "from",
            "ended": "to",
            "state": "what it was in truth",
            "who": "says so",
            "why": "in their words",
            "made": "when they said so",
            "undone": "when it was taken back; null: it holds",
            **SPAN_S,
        },
    ),
    "components": (
        "Parts of a service, as its own health body tells them; one row a change.",
        {
            **SERVICE,
            "component": "its name",
            "at": "since when",
            "state": "its state",
            "latency_ms": "as reported",
            **AT_MS,
        },
    ),
    "instances": (
        "How many instances of a service were expected, running and ready; one row a change.",
        {**SERVICE, "at": "since when", "expected": "by declaration", "running": "seen", "ready": "answering", **AT_MS},
    ),
    "sightings": (
        "Every name under which a source saw a service.",
        {
            **SERVICE,
            "source": "config, systemd, compose, ...",
            "ref": "file:line, unit or process",
            "name": "the name it has there",
            "layer": "claimed, declared, running or healthy",
            **SEEN,
        },
    ),
    "ports": (
        "Who uses which port, and where that is said.",
        {
            **SERVICE,
            "protocol": "tcp or udp",
            "host_ip": "address it is bound to; empty: all",
            "port": "on the host",
            "container_port": "inside the container",
            "layer": "declared or running",
            "location": "file:line or unit",
            "status": "in use, declared or conflict",
        },
    ),
    "dependencies": (
        "What a service says it needs.",
        {
            **SERVICE,
            "needs": "the name it has there",
            "source": "who says so; health: its own health body",
            "ref": "where",
            "needed": "the key of the service that is meant, where only one can be",
            **SEEN,
        },
    ),
    "sources": (
        "How each source of discovery did when it was last asked.",
        {
            "source": "systemd, compose, ...",
            "ok": "1: it answered",
            "found": "services that it tells of",
            "skipped": "things that are not watched; `uplog discover` says why",
            "error": "why it did not answer",
            "at": "when it was asked",
            "took_ms": "how long that took",
            "at_ms": "at, as ms since 1970: for filters and sorts",
        },
    ),
    "discoveries": (
        "What discovery saw change: nothing is ever forgotten.",
        {
            "at": "when",
            "source": "which source",
            "event": "appeared, changed, missing, retired, returned, restarted, ended; of a source failed or recovered",
            **SERVICE,
            "detail": "JSON: what, old, new, and why something ended; else where it was seen, or why a source failed",
            **AT_MS,
        },
    ),
    "findings": (
        "Something wrong that a declaration shows without asking anybody.",
        {
            "kind": "what sort",
            **SERVICE,
            "location": "file:line",
            "text": "in a sentence",
            "source": "who reported it",
            **SEEN,
        },
    ),
    "maintenance": (
        "Maintenance windows, written when they begin.",
        {**SERVICE, "started": "from", "ended": "until; null: still", "text": "what for", **SPAN_S},
    ),
    "runs": (
        "One row a cycle of `uplog run`, one a minute of `uplog watch`.",
        {
            "id": "counts up",
            "started": "when",
            "ended": "null: it did not end by itself",
            "trigger": "cron, watch, api or function",
            "planned": "checks that were due",
            "observed": "answers that were recorded",
            "late_ms": "how late the latest check was asked",
            "error": "why it could not be completed",
            "started_ms": "started in milliseconds since 1970: filter and sort by this",
            "ended_ms": "ended in milliseconds since 1970",
        },
    ),
    "pings": (
        "One row a report of a job on itself: `uplog ping`.",
        {
            **SERVICE,
            "check_key": "the check that waits for it",
            "at": "when it reported",
            "event": "start, success or fail",
            "exit_code": "of the job, where it was told",
            "took_ms": "how long the run took, from its start or as told",
            "run": "tells runs apart that overlap",
            **AT_MS,
        },
    ),
    "events": (
        "What happened to uplog itself.",
        {"at": "when", "kind": "what sort", "detail": "in a sentence", **AT_MS},
    ),
    "days": (
        "The days of the configured zone: 23 or 25 hours twice a year.",
        {"day": "YYYY-MM-DD", "started": "its first second", "ended": "the first second of the next", **SPAN_S},
    ),
}
