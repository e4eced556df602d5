"""The kinds of question: one file and one function a kind, and a line here."""

from collections.abc import Awaitable, Callable, Mapping

from ..model import Check, Reading

Probe = Callable[[Check], Awaitable[Reading]]

# imported when first asked, so that a cron run pays only for the kinds it uses
PROBES: Mapping[str, str] = {
    "http": "uplog.collector.probes.http:probe_http",
    "tcp": "uplog.collector.probes.tcp:probe_tcp",
    "systemd": "uplog.collector.probes.systemd:probe_systemd",
}
