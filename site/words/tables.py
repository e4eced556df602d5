"""The fixed words of the page, as messages that are said elsewhere."""

from uplog.collector.model import Reason, State

from ..tongue import message, plural

STATES = {
    "up": message("up"),
    "degraded": message("degraded"),
    "down": message("down"),
    "unknown": message("not known"),
    "maintenance": message("maintenance"),
}
SHAPES = {"up": "✓", "degraded": "▲", "down": "✕", "unknown": "?", "maintenance": "="}
PERIODS = {
    "24h": message("24 hours"),
    "7d": message("7 days"),
    "30d": message("30 days"),
    "90d": message("90 days"),
    "365d": message("365 days"),
}
SEVERITIES = {"minor": message("minor"), "major": message("major"), "critical": message("critical")}

# How services are that are alike: one or two of them by name, all of them, some of them.
ALIKE = {
    "up": (
        plural("%(who)s is up", "%(who)s are up"),
        message("All %(total)s services are up"),
        message("%(count)s of %(total)s services are up"),
    ),
    "degraded": (
        plural("%(who)s is degraded", "%(who)s are degraded"),
        message("All %(total)s services are degraded"),
        message("%(count)s of %(total)s services are degraded"),
    ),
    "down": (
        plural("%(who)s is down", "%(who)s are down"),
        message("All %(total)s services are down"),
        message("%(count)s of %(total)s services are down"),
    ),
    "unknown": (
        plural("Nothing is known of %(who)s", "Nothing is known of %(who)s"),
        message("Nothing is known of any of %(total)s services"),
        message("Nothing is known of %(count)s of %(total)s services"),
    ),
    "maintenance": (
        plural("%(who)s is in maintenance", "%(who)s are in maintenance"),
        message("All %(total)s services are in maintenance"),
        message("%(count)s of %(total)s services are in maintenance"),
    ),
}
MORE = {  # what stands beside something worse
    "degraded": plural("%(count)s more is degraded", "%(count)s more are degraded"),
    "unknown": plural("%(count)s more is not known", "%(count)s more are not known"),
    "maintenance": plural("%(count)s more is in maintenance", "%(count)s more are in maintenance"),
    "up": plural("%(count)s other is up", "%(count)s others are up"),
}
COUNTED = {  # of the parts of a service
    State.UP: plural("%(count)s is up", "%(count)s are up"),
    State.DEGRADED: plural("%(count)s is degraded", "%(count)s are degraded"),
    State.DOWN: plural("%(count)s is down", "%(count)s are down"),
}
CAUSES = {  # without the moment since when, and with it
    State.DOWN: (message("%(who)s is down"), message("%(who)s is down since %(when)s")),
    State.DEGRADED: (message("%(who)s is degraded"), message("%(who)s is degraded since %(when)s")),
}
STANDINGS = {  # of a port, and of where something was seen
    "conflict": message("conflict"),
    "in use": message("in use"),
    "healthy": message("healthy"),
    "running": message("running"),
    "declared": message("declared"),
    "claimed": message("claimed"),
}
EVENTS = {  # in the life of a service
    "appeared": message("appeared"),
    "changed": message("changed"),
    "missing": message("missing"),
    "retired": message("retired"),
    "returned": message("returned"),
    "restarted": message("restarted"),
    "ended": message("ended"),
}

# What is published instead of an error's own text, which may name hosts, addresses and paths.
REASONS = {
    Reason.NO_SAMPLE: message("no check has come in"),
    Reason.MONITOR_OFFLINE: message("the monitor was offline"),
    Reason.MONITOR_ASLEEP: message("the monitor was asleep"),
    Reason.DNS_RESOLVER: message("the monitor could not resolve names"),
    Reason.LOCAL_ERROR: message("the monitor had a fault of its own"),
    Reason.PAUSED: message("checks are paused"),
    Reason.STARTING: message("starting, not judged yet"),
    Reason.FORBIDDEN: message("the monitor may not ask there"),
    Reason.NO_ENDPOINT: message("there is nothing to ask"),
    Reason.DNS: message("its name did not resolve"),
    Reason.UNREACHABLE: message("there was no way to it"),
    Reason.REFUSED: message("the connection was refused"),
    Reason.TIMEOUT: message("no answer in time"),
    Reason.RESET: message("the connection was cut off"),
    Reason.PROTOCOL: message("the answer made no sense"),
    Reason.TLS: message("no secure connection could be made"),
    Reason.CERTIFICATE: message("the certificate was not valid"),
    Reason.STATUS: message("the answer had an unexpected status"),
    Reason.HTTP_3XX: message("the answer was a redirect"),
    Reason.HTTP_4XX: message("the request was turned down"),
    Reason.HTTP_5XX: message("the server reported an error"),
    Reason.BLOCKED: message("the check was not let in"),
    Reason.REDIRECTS: message("there were too many redirects"),
    Reason.REDIRECT_OFFSITE: message("it redirected to another site"),
    Reason.BODY: message("the answer lacked what it should contain"),
    Reason.ANSWER: message("the answer was wrong"),
    Reason.NOT_READY: message("it was not ready"),
    Reason.TOO_LARGE: message("the answer was too large"),
    Reason.UNIT_FAILED: message("its unit failed"),
    Reason.UNIT_INACTIVE: message("its unit was not running"),
    Reason.CONTAINER_UNHEALTHY: message("its container was unhealthy"),
    Reason.CONTAINER_STOPPED: message("its container was stopped"),
    Reason.INSTANCES_MISSING: message("some of its instances were missing"),
    Reason.HEARTBEAT_MISSING: message("its sign of life did not come"),
    Reason.HEARTBEAT_FAILED: message("it reported a failure"),
    Reason.EXEC: message("its check command failed"),
    Reason.SLOW: message("slow answers"),
    Reason.CERTIFICATE_EXPIRING: message("its certificate ends soon"),
    Reason.REPORTED_DEGRADED: message("it reported itself degraded"),
}
