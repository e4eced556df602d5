"""Our own failures are never theirs."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from helpers import a_check

from uplog.collector.judge import guard, host, verdict
from uplog.collector.model import Answer, Outcome, Reading, Reason, Verdict

pytestmark = pytest.mark.unit

T = datetime(2026, 11, 21, tzinfo=UTC)
Judged = tuple[Answer, Verdict]


def asked(targets: str, says: Reason | int | str, **more: bool) -> list[Judged]:
    """Ask each of *targets*: a number is the status of an answer, "open" a reading without one."""
    found = []
    for target in targets.split():
        check = a_check(target=target if ":" in target else f"http://{target}/", key=target)
        reading = {"open": Reading()}.get(str(says)) or (Reading(code=says) if isinstance(says, int) else None)
        reason = says if isinstance(says, Reason) else None
        answer = Answer(check=check, at=T, took=5, reading=reading, reason=reason, **more)
        found.append((answer, verdict(answer)))
    return found


def reasons(answers: Sequence[Judged], controls: Sequence[Judged] = ()) -> str:
    return " ".join(str(found.reason or "-") for found in guard(answers, controls))


FOUR = "10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4"
NAMES = "a.example b.example c.example d.example"
EXCUSABLE = [Reason.DNS, Reason.TIMEOUT, Reason.UNREACHABLE]
THEIRS = [Reason.REFUSED, Reason.RESET, Reason.PROTOCOL, Reason.TLS, Reason.CERTIFICATE, Reason.REDIRECTS]


# Without controls


def test_four_hosts_elsewhere_that_all_fail_are_our_own_failure():
    found = guard(asked(FOUR, Reason.TIMEOUT))

    assert {(v.outcome, v.reason) for v in found} == {(Outcome.UNKNOWN, Reason.MONITOR_OFFLINE)}


def test_ways_to_fail_may_be_mixed():
    answers = asked("10.0.0.1 10.0.0.2", Reason.TIMEOUT) + asked("10.0.0.3 10.0.0.4", Reason.UNREACHABLE)

    assert reasons(answers) == " ".join(["monitor_offline"] * 4)


def test_three_hosts_are_too_few():
    assert reasons(asked("10.0.0.1 10.0.0.2 10.0.0.3", Reason.TIMEOUT)) == "timeout timeout timeout"


def test_four_checks_of_three_hosts_are_too_few():
    answers = asked("10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.3:81", Reason.TIMEOUT)

    assert "monitor_offline" not in reasons(answers)


@pytest.mark.parametrize("says", [200, 503, "open", *THEIRS])
def test_one_host_elsewhere_that_says_anything_shows_that_the_network_works(says):
    assert reasons(asked(FOUR, Reason.TIMEOUT) + asked("10.0.0.5", says)).startswith("timeout timeout timeout timeout")


def test_a_timeout_within_an_answer_shows_that_the_network_works():
    answers = asked(FOUR, Reason.TIMEOUT) + asked("10.0.0.5", Reason.TIMEOUT, received=True)

    assert reasons(answers) == " ".join(["timeout"] * 5)


@pytest.mark.parametrize(
    "here", ["127.0.0.1", "127.9.9.9", "localhost", "api.localhost", "[::1]", "0.0.0.0", "[::ffff:127.0.0.1]"]
)
def test_this_machine_neither_shows_a_network_nor_is_excused(here):
    passing, failing = asked(here, 200), asked(here, Reason.TIMEOUT)

    assert reasons(asked(FOUR, Reason.TIMEOUT) + passing) == " ".join(["monitor_offline"] * 4 + ["-"])
    assert reasons(asked(FOUR, Reason.TIMEOUT) + failing) == " ".join(["monitor_offline"] * 4 + ["timeout"])


def test_a_unit_is_not_a_host():
    unit = a_check(kind="systemd", target="nginx.service")
    answer = Answer(check=unit, at=T, took=5, reason=Reason.TIMEOUT)

    assert reasons([*asked(FOUR, Reason.TIMEOUT), (answer, verdict(answer))]).endswith("monitor_offline timeout")


@pytest.mark.parametrize("reason", THEIRS)
def test_other_failures_are_theirs_even_when_all_fail_so(reason):
    assert reasons(asked(FOUR, reason)) == " ".join([reason] * 4)


@pytest.mark.parametrize("reason", EXCUSABLE)
def test_no_route_excuses_even_one_alone(reason):
    answers = asked("10.0.0.1", reason, no_route=True) + asked("10.0.0.2", Reason.TIMEOUT) + asked("10.0.0.3", 200)

    assert reasons(answers) == "monitor_offline timeout -"


def test_an_error_of_our_own_shows_nothing():
    answers = asked(FOUR, Reason.TIMEOUT) + asked("10.0.0.5", Reason.LOCAL_ERROR)

    assert reasons(answers) == " ".join(["monitor_offline"] * 4 + ["local_error"])


# Names


def test_half_of_four_names_that_do_not_resolve_are_the_resolvers_failure():
    answers = asked("a.example b.example", Reason.DNS) + asked("c.example d.example", 200)

    assert reasons(answers) == "dns_resolver dns_resolver - -"


@pytest.mark.parametrize(
    ("failing", "passing"),
    [("a.example b.example", "c.example"), ("a.example b.example", "c.example d.example e.example")],
)
def test_fewer_names_are_their_own_failure(failing, passing):
    assert reasons(asked(failing, Reason.DNS) + asked(passing, 200)).startswith("dns dns -")


def test_black_holed_resolver_leaves_addresses_alone():
    answers = asked(NAMES, Reason.DNS) + asked("10.0.0.1 127.0.0.1", 200) + asked("10.0.0.2", Reason.TIMEOUT)

    assert reasons(answers) == "dns_resolver dns_resolver dns_resolver dns_resolver - - timeout"


def test_addresses_are_not_counted_as_names_that_resolve():
    answers = asked("a.example b.example", Reason.DNS) + asked("c.example d.example 10.0.0.1 10.0.0.2", 200)

    assert reasons(answers).startswith("dns_resolver dns_resolver")


def test_a_name_that_resolves_but_is_silent_is_not_excused_by_the_resolver():
    answers = asked("a.example b.example", Reason.DNS) + asked("c.example", Reason.TIMEOUT) + asked("d.example", 200)

    assert reasons(answers) == "dns_resolver dns_resolver timeout -"


def test_many_checks_of_one_name_are_one_name():
    answers = asked("a.example a.example:81 a.example:82", Reason.DNS) + asked("b.example c.example d.example", 200)

    assert reasons(answers).startswith("dns dns dns")


def test_names_and_addresses_fail_each_in_their_own_way():
    answers = asked(NAMES, Reason.DNS) + asked(FOUR, Reason.TIMEOUT)

    assert reasons(answers) == " ".join(["dns_resolver"] * 4 + ["monitor_offline"] * 4)


def test_a_redirect_to_a_name_that_does_not_resolve_is_theirs():
    answers = asked(NAMES, Reason.DNS, received=True)

    assert reasons(answers, asked("1.1.1.1", Reason.TIMEOUT)) == reasons(answers) == "dns dns dns dns"


# With controls


def test_all_controls_failing_excuses_what_could_be_ours():
    answers = asked("10.0.0.1", Reason.TIMEOUT) + asked("10.0.0.2", Reason.REFUSED) + asked("a.example", Reason.DNS)

    found = reasons(answers, asked("1.1.1.1 9.9.9.9", Reason.TIMEOUT))

    assert found == "monitor_offline refused monitor_offline"


def test_one_control_that_answers_leaves_all_down():
    controls = asked("1.1.1.1", Reason.TIMEOUT) + asked("9.9.9.9", 200)

    assert reasons(asked(FOUR, Reason.TIMEOUT), controls) == "timeout timeout timeout timeout"


@pytest.mark.parametrize("says", [500, *THEIRS])
def test_a_control_elsewhere_that_refuses_shows_that_the_network_works(says):
    assert reasons(asked(FOUR, Reason.TIMEOUT), asked("1.1.1.1", says)) == "timeout timeout timeout timeout"


def test_a_control_on_this_machine_that_refuses_is_just_failing():
    found = reasons(asked("10.0.0.1", Reason.TIMEOUT), asked("127.0.0.1:9", Reason.REFUSED))

    assert found == "monitor_offline"


def test_controls_do_not_excuse_this_machine():
    assert reasons(asked("127.0.0.1", Reason.TIMEOUT), asked("1.1.1.1", Reason.TIMEOUT)) == "timeout"


def test_lan_hosts_that_pass_do_not_overrule_the_controls():
    answers = asked("93.184.216.34", Reason.TIMEOUT) + asked("10.0.0.1", 200)

    assert reasons(answers, asked("1.1.1.1", Reason.TIMEOUT)) == "monitor_offline -"


# The rest


def test_what_is_not_excused_is_returned_as_it_was():
    answers = asked("10.0.0.1 127.0.0.1", 200) + asked("10.0.0.2", Reason.TIMEOUT) + asked("10.0.0.3", 503)

    assert guard(answers, []) == [judged for _, judged in answers]


def test_an_excuse_keeps_the_raw_text():
    answer = Answer(
        check=a_check(target="http://10.0.0.1/"), at=T, took=5, reason=Reason.UNREACHABLE, text="no way", no_route=True
    )

    assert guard([(answer, verdict(answer))], [])[0].text == "no way"


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("https://user:secret@Web.Example:8443/path?q#f", "web.example"),
        ("tcp://db.example:5432", "db.example"),
        ("db.example:5432", "db.example"),
        ("[2001:db8::1]:5432", "2001:db8::1"),
        ("http://[2001:db8::1]/", "2001:db8::1"),
        ("http://web.example./", "web.example"),
        ("nginx.service", ""),
        ("http://[::1", ""),
        ("", ""),
    ],
)
def test_host_of_a_target(target, expected):
    assert host(target) == expected
