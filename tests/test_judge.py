"""What an answer means."""

from datetime import UTC, datetime

import pytest
from helpers import a_check

from uplog.collector.judge import judge, verdict
from uplog.collector.model import Answer, Expect, Expectation, Outcome, Reading, Reason, Verdict

pytestmark = pytest.mark.unit

T = datetime(2026, 11, 21, tzinfo=UTC)
HTML = {"content-type": "text/html; charset=utf-8"}


def said(reading: Reading, took: int = 12, **changes: object) -> tuple[Outcome, Reason | None]:
    found = judge(a_check(**changes), reading, took)
    return found.outcome, found.reason


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (200, (Outcome.PASS, None)),
        (204, (Outcome.PASS, None)),
        (299, (Outcome.PASS, None)),
        (301, (Outcome.FAIL, Reason.HTTP_3XX)),
        (400, (Outcome.FAIL, Reason.HTTP_4XX)),
        (401, (Outcome.FAIL, Reason.BLOCKED)),
        (403, (Outcome.FAIL, Reason.BLOCKED)),
        (404, (Outcome.FAIL, Reason.HTTP_4XX)),
        (407, (Outcome.FAIL, Reason.BLOCKED)),
        (429, (Outcome.FAIL, Reason.BLOCKED)),
        (500, (Outcome.FAIL, Reason.HTTP_5XX)),
        (503, (Outcome.FAIL, Reason.HTTP_5XX)),
        (101, (Outcome.FAIL, Reason.STATUS)),
        (999, (Outcome.FAIL, Reason.STATUS)),
    ],
)
def test_any_2xx_passes_and_every_other_status_says_its_class(code, expected):
    assert said(Reading(code=code)) == expected


@pytest.mark.parametrize(("code", "outcome"), [(200, Outcome.FAIL), (302, Outcome.PASS), (401, Outcome.PASS)])
def test_expected_status_replaces_the_usual_one(code, outcome):
    assert said(Reading(code=code), expect=Expect(status=((302, 302), (400, 499))))[0] is outcome


def test_a_2xx_that_was_not_expected_is_a_plain_status_failure():
    found = judge(a_check(expect=Expect(status=((204, 204), (300, 302)))), Reading(code=200))

    assert found == Verdict(
        outcome=Outcome.FAIL,
        reason=Reason.STATUS,
        text="expected status 204, 300-302, saw 200",
        expectations=(Expectation(text="status 204, 300-302", seen="200", ok=False),),
    )


def test_an_answer_without_a_status_is_not_held_against_one():
    assert judge(a_check(kind="tcp"), Reading()) == Verdict(outcome=Outcome.PASS)


@pytest.mark.parametrize(
    ("wanted", "reading", "expected"),
    [
        ("ready", Reading(code=200, body=b"all ready"), (Outcome.PASS, None)),
        ("ready", Reading(code=200, body=b"not yet"), (Outcome.FAIL, Reason.BODY)),
        ("ready", Reading(code=500, body=b"not yet"), (Outcome.FAIL, Reason.HTTP_5XX)),
        ("ready", Reading(code=200, body=b"xx", facts={"truncated": True}), (Outcome.FAIL, Reason.TOO_LARGE)),
        ("ready", Reading(code=200, body=b"ready", facts={"truncated": True}), (Outcome.PASS, None)),
        ("grün", Reading(code=200, body="grün".encode(), headers=HTML), (Outcome.PASS, None)),
        ("grün", Reading(code=200, body="grün".encode()), (Outcome.PASS, None)),
        (
            "grün",
            Reading(
                code=200, body="grün".encode("latin-1"), headers={"content-type": 'text/html; Charset="ISO-8859-1"'}
            ),
            (Outcome.PASS, None),
        ),
        (
            "ok",
            Reading(code=200, body=b"ok", headers={"content-type": "text/html; charset=x-none"}),
            (Outcome.PASS, None),
        ),
        ("ok", Reading(code=200, body=b"ok", headers={"content-type": "text/html; charset=hex"}), (Outcome.PASS, None)),
        (
            "ok",
            Reading(code=200, body=b"ok", headers={"content-type": "text/html; charset=a\0b"}),
            (Outcome.PASS, None),
        ),
        (
            "日本",
            Reading(code=200, body="日本".encode(), headers={"content-type": "a/b; charset=ascii"}),
            (Outcome.PASS, None),
        ),
    ],
)
def test_body_must_contain_what_is_expected_in_its_own_charset(wanted, reading, expected):
    assert said(reading, expect=Expect(body_contains=(wanted,))) == expected


def test_every_expectation_is_kept_with_what_was_seen():
    check = a_check(expect=Expect(body_contains=("a", "b")), degraded_above=500)

    assert judge(check, Reading(code=200, body=b"a"), 700).expectations == (
        Expectation(text="status 200-299", seen="200", ok=True),
        Expectation(text="a body with 'a'", seen="it", ok=True),
        Expectation(text="a body with 'b'", seen="none in 1 bytes", ok=False),
        Expectation(text="an answer within 500 ms", seen="700 ms", ok=False),
    )


@pytest.mark.parametrize(("took", "expected"), [(500, (Outcome.PASS, None)), (501, (Outcome.WARN, Reason.SLOW))])
def test_slower_than_degraded_above_is_a_warning(took, expected):
    assert said(Reading(code=200), took, degraded_above=500) == expected


def test_slow_and_wrong_is_wrong():
    assert said(Reading(code=500), 900, degraded_above=500) == (Outcome.FAIL, Reason.HTTP_5XX)


@pytest.mark.parametrize(("code", "suspect"), [(200, False), (302, False), (401, True), (404, True), (499, True)])
def test_a_4xx_that_passes_for_want_of_a_path_is_suspect(code, suspect):
    found = judge(a_check(expect=Expect(status=((100, 499),), suspect=True)), Reading(code=code))

    assert (found.outcome, found.suspect) == (Outcome.PASS, suspect)


def test_a_4xx_that_was_asked_for_is_not_suspect():
    assert not judge(a_check(expect=Expect(status=((401, 401),))), Reading(code=401)).suspect


@pytest.mark.parametrize("reason", list(Reason))
def test_an_answer_without_a_reading_is_down_or_unknown_by_its_reason(reason):
    ours = "no_sample monitor_offline monitor_asleep dns_resolver local_error paused starting forbidden no_endpoint"
    answer = Answer(check=a_check(), at=T, took=2000, reason=reason, text="x" * 600)

    assert verdict(answer) == Verdict(
        outcome=Outcome.UNKNOWN if reason in ours.split() else Outcome.FAIL, reason=reason, text="x" * 500
    )


def test_a_reading_is_judged_with_the_time_it_took():
    answer = Answer(check=a_check(degraded_above=100), at=T, took=150, reading=Reading(code=200))

    assert verdict(answer).reason is Reason.SLOW


def test_raw_text_is_cut():
    check = a_check(expect=Expect(body_contains=("x" * 1000,)))

    assert len(judge(check, Reading(code=200)).text) == 500
