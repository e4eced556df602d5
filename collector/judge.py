"""What an answer means, and whether it is ours to blame: pure decisions."""

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from urllib.parse import urlsplit

from .model import Answer, Check, Expectation, Outcome, Reading, Reason, Verdict

MOST_TEXT = 500
BLOCKED = {401, 403, 407, 429}
CLASSES = {3: Reason.HTTP_3XX, 4: Reason.HTTP_4XX, 5: Reason.HTTP_5XX}
EXCUSABLE = {Reason.DNS, Reason.TIMEOUT, Reason.UNREACHABLE}
ENOUGH = 4  # hosts or names: with fewer, it may well be them
UNKNOWABLE = {
    Reason.NO_SAMPLE,
    Reason.MONITOR_OFFLINE,
    Reason.MONITOR_ASLEEP,
    Reason.DNS_RESOLVER,
    Reason.LOCAL_ERROR,
    Reason.PAUSED,
    Reason.STARTING,
    Reason.FORBIDDEN,
    Reason.NO_ENDPOINT,
}

Judged = tuple[Answer, Verdict]


def verdict(answer: Answer) -> Verdict:
    """Judge *answer*: a failure speaks for itself, a reading is held against what the check expects."""
    if answer.reading is None:
        outcome = Outcome.UNKNOWN if answer.reason in UNKNOWABLE else Outcome.FAIL
        return Verdict(outcome=outcome, reason=answer.reason, text=answer.text[:MOST_TEXT])
    return judge(answer.check, answer.reading, answer.took)


def judge(check: Check, reading: Reading, took: int = 0) -> Verdict:
    """Hold *reading*, which took *took* ms, against what *check* expects.

    >>> check = Check(key="web/http/", service="web", kind="http", target="http://web/")
    >>> judge(check, Reading(code=503)).text
    'expected status 200-299, saw 503'
    """
    held = list(expectations(check, reading, took))
    seen = tuple(expectation for expectation, _ in held)
    for expectation, reason in held:
        if not expectation.ok:
            outcome = Outcome.WARN if reason is Reason.SLOW else Outcome.FAIL
            text = f"expected {expectation.text}, saw {expectation.seen}"[:MOST_TEXT]
            return Verdict(outcome=outcome, reason=reason, text=text, expectations=seen)
    suspect = check.expect.suspect and reading.code is not None and 400 <= reading.code < 500
    return Verdict(outcome=Outcome.PASS, suspect=suspect, expectations=seen)


# What is expected


def expectations(check: Check, reading: Reading, took: int) -> Iterator[tuple[Expectation, Reason]]:
    """Give each expectation with the reason that it is when it is not met; the one that weighs most comes first."""
    if reading.code is not None:
        yield status(reading.code, check.expect.status)
    for wanted in check.expect.body_contains:
        yield contained(reading, wanted)
    if check.degraded_above is not None:
        ok = took <= check.degraded_above
        text = f"an answer within {check.degraded_above} ms"
        yield Expectation(text=text, seen=f"{took} ms", ok=ok), Reason.SLOW


@lru_cache(maxsize=1024)  # there are few pairs, and every answer over HTTP asks
def status(code: int, wanted: tuple[tuple[int, int], ...]) -> tuple[Expectation, Reason]:
    """Look for *code* in the ranges *wanted*."""
    ok = any(low <= code <= high for low, high in wanted)
    ranges = ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in wanted)
    reason = Reason.BLOCKED if code in BLOCKED else CLASSES.get(code // 100, Reason.STATUS)
    return Expectation(text=f"status {ranges}", seen=str(code), ok=ok), reason


def contained(reading: Reading, wanted: str) -> tuple[Expectation, Reason]:
    """Look for *wanted* in the body, as far as it was read."""
    ok = encoded(wanted, reading.headers.get("content-type", "")) in reading.body
    truncated = bool(reading.facts.get("truncated"))
    seen = "it" if ok else f"none in {'the first ' if truncated else ''}{len(reading.body)} bytes"
    reason = Reason.TOO_LARGE if truncated else Reason.BODY
    return Expectation(text=f"a body with {wanted!r}", seen=seen, ok=ok), reason


def encoded(text: str, content_type: str) -> bytes:
    """Encode *text* as a body of *content_type* has it; ours is short, so that no hostile codec takes its time.

    >>> encoded("grün", "text/html; charset=ISO-8859-1")
    b'gr\\xfcn'
    """
    charset = content_type.lower().partition("charset=")[2].partition(";")[0].strip(" \"'")
    try:
        return text.encode(charset or "utf-8")
    except (LookupError, ValueError):  # unknown, not for text, or without these characters
        return text.encode()


# Our own failures are never theirs


def guard(answers: Sequence[Judged], controls: Sequence[Judged] = ()) -> list[Verdict]:
    """Return the verdicts on the *answers* of the last interval, those excused that may be our own failure.

    *controls* are the answers of those control targets that ever answered. DESIGN.md, section 3, has the rules.
    """
    if not any(excusable(answer) for answer, _ in answers):
        return [judged for _, judged in answers]
    cut_off = controls_fail(controls) if controls else nobody_answers(answers)
    resolver_fails = names_fail(answers)

    def excuse(answer: Answer) -> Reason | None:
        if not excusable(answer):
            return None
        certain = cut_off if controls else answer.no_route
        if certain:
            return Reason.MONITOR_OFFLINE
        if resolver_fails and answer.reason is Reason.DNS:
            return Reason.DNS_RESOLVER
        return Reason.MONITOR_OFFLINE if cut_off else None

    return [excused(judged, excuse(answer)) for answer, judged in answers]


def excused(judged: Verdict, reason: Reason | None) -> Verdict:
    """Make *judged* unknown for *reason*, when there is one."""
    return replace(judged, outcome=Outcome.UNKNOWN, reason=reason) if reason else judged


def excusable(answer: Answer) -> bool:
    """Tell whether *answer* could come from our side of the network."""
    return answer.reason in EXCUSABLE and not answer.received and off_host(answer)


def proves_network(answer: Answer) -> bool:
    """Tell whether *answer* can only have come over a network that works, whatever it says of the service."""
    return off_host(answer) and not excusable(answer) and answer.reason not in UNKNOWABLE


def controls_fail(controls: Sequence[Judged]) -> bool:
    """Tell whether every control target fails, and none in a way that shows a working network."""
    return all(judged.outcome is Outcome.FAIL and not proves_network(answer) for answer, judged in controls)


def nobody_answers(answers: Sequence[Judged]) -> bool:
    """Tell whether at least four hosts elsewhere were asked and nothing at all came back from any."""
    if any(proves_network(answer) for answer, _ in answers):
        return False
    return len({host(answer.check.target) for answer, _ in answers if excusable(answer)}) >= ENOUGH


def names_fail(answers: Sequence[Judged]) -> bool:
    """Tell whether at least half of at least four names could not be resolved."""
    asked = [answer for answer, _ in answers if off_host(answer) and answer.reason not in UNKNOWABLE]
    names = {name for answer in asked if not is_address(name := host(answer.check.target))}
    unresolved = {host(answer.check.target) for answer in asked if answer.reason is Reason.DNS and excusable(answer)}
    return len(names) >= ENOUGH and 2 * len(unresolved) >= len(names)


def off_host(answer: Answer) -> bool:
    """Tell whether asking needs a network: the target has a host, and it is not this machine by name or address."""
    name = host(answer.check.target)
    if not name or name == "localhost" or name.endswith(".localhost"):
        return False
    if not is_address(name):
        return True
    address = ipaddress.ip_address(name)
    address = getattr(address, "ipv4_mapped", None) or address
    return not (address.is_loopback or address.is_unspecified)


def is_address(name: str) -> bool:
    """Tell an IP address from a name."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def host(target: str) -> str:
    """Return the host that *target* names, in lower case; nothing when it is a unit or something else local.

    >>> host("https://Web.example/health"), host("[::1]:5432"), host("nginx.service")
    ('web.example', '::1', '')
    """
    if "://" not in target:
        if not target.rpartition(":")[2].isdecimal():
            return ""
        target = f"//{target}"
    try:
        return (urlsplit(target).hostname or "").rstrip(".")
    except ValueError:
        return ""
