"""Jobs: submitted to a real server of the shape that the first fleet has, and followed to their end."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from helpers import a_check

from uplog.collector.judge import verdict
from uplog.collector.model import Answer, Outcome, Reason
from uplog.collector.observe import observe

pytestmark = pytest.mark.unit


@dataclass
class Analysis:
    """A service that analyses builds in the background, and tells of it as its guide says."""

    ends: dict[str, Any] = field(default_factory=lambda: {"status": "completed", "completed_at": "2026-11-01T03:00:01"})
    takes: int = 3  # looks at a job until it has come to its end
    wrapped: bool = False  # as the service that was found, which differs from its guide
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/api/builds/{build}/analyze", self.analyze)
        app.router.add_get("/api/jobs/{job}", self.job)
        return app

    async def analyze(self, request: web.Request) -> web.Response:
        self.asked.append("submit")
        self.bodies.append(await request.json())
        job = f"job {len(self.jobs)}"
        self.jobs[job] = {"job_id": job, "build_id": request.match_info["build"], "status": "queued", "error": None}
        answer = {"status": "accepted", "job_id": job, "message": "Analysis started."}
        if self.wrapped:
            answer = {"status": "success", "job_id": job, "check_status_url": f"/api/jobs/{job}"}
        return web.json_response(answer, status=202)

    async def job(self, request: web.Request) -> web.Response:
        self.asked.append("poll")
        job = self.jobs.get(request.match_info["job"])
        if job is None:
            return web.json_response({"error": "Job not found"}, status=404)
        if (looks := self.asked.count("poll")) > 1:  # what it says the first time is what it was submitted with
            job.update({"status": "running"} if looks < self.takes else self.ends)
        return web.json_response({"status": "success", "job": job} if self.wrapped else job)


def ask(
    app: web.Application,
    path: str = "/api/builds/probe/analyze",
    timeout: int = 20_000,
    headers: tuple[tuple[str, str], ...] = (),
    **options: object,
) -> Answer:
    async def scenario() -> Answer:
        async with TestServer(app) as server:
            check = a_check(
                kind="job",
                target=str(server.make_url(path)),
                timeout=timeout,
                headers=headers,
                options={"body": '{"holes_interval": 10.0}', "interval": "10ms", **options},
            )
            [answer] = await observe([check])
            return answer

    return asyncio.run(scenario())


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_job_is_followed_until_it_is_completed(wrapped):
    service = Analysis(wrapped=wrapped)

    answer = ask(service.app())

    assert verdict(answer).outcome is Outcome.PASS
    assert answer.reading is not None
    assert answer.reading.facts["job"] == "job 0"
    assert answer.reading.facts["state"] == "completed"
    assert answer.reading.facts["polls"] == service.asked.count("poll") == service.takes
    assert answer.took >= 20, "two pauses of 10 ms, which the answers before the last one are worth"
    assert service.asked.count("submit") == 1
    assert service.bodies == [{"holes_interval": 10.0}]


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_job_that_fails_is_told_with_its_error(wrapped):
    answer = ask(Analysis(wrapped=wrapped, ends={"status": "failed", "error": "no such build"}).app())

    assert (answer.reason, answer.text) == (Reason.ANSWER, "the job is failed: no such build")
    assert verdict(answer).outcome is Outcome.FAIL


def test_a_job_that_does_not_end_is_late():
    service = Analysis(takes=1_000)
    answer = ask(service.app(), timeout=500, interval="50ms")

    assert (answer.reason, answer.text, answer.received) == (Reason.TIMEOUT, "no complete answer within 0.5 s", True)
    assert 1 <= service.asked.count("poll") <= 11


def test_states_and_places_of_ones_own_are_understood():
    service = Analysis(ends={"phase": {"now": "Archived"}})
    done = ask(service.app(), state="$.phase.now", completed=["archived"])

    assert (done.reason, done.text) == (Reason.ANSWER, "the answer has no state of the job")  # before it has a phase

    async def at_once(request: web.Request) -> web.Response:
        return web.json_response({"result": {"ticket": 7}, "phase": {"now": "Archived"}})

    app = web.Application()
    app.router.add_put("/tickets", at_once)
    app.router.add_get("/tickets/7/state", at_once)
    answer = ask(
        app,
        "/tickets",
        method="PUT",
        id="$.result.ticket",
        poll="/tickets/{id}/state",
        state="$.phase.now",
        completed=["archived"],
    )

    assert answer.reading is not None
    assert answer.reading.facts == {"job": "7", "state": "Archived", "polls": 1}


def test_the_location_of_an_accepted_job_is_asked():
    async def submit(request: web.Request) -> web.Response:
        return web.json_response({}, status=202, headers={"Location": "/queue/1?full=1"})

    async def state(request: web.Request) -> web.Response:
        return web.json_response({"status": "done" if request.query["full"] else ""})

    app = web.Application()
    app.router.add_post("/queue", submit)
    app.router.add_get("/queue/1", state)

    assert ask(app, "/queue").reading is not None


def test_the_id_of_a_job_cannot_lead_elsewhere():
    asked = []

    async def submit(request: web.Request) -> web.Response:
        return web.json_response({"job_id": "../../admin?x=#y"})

    async def state(request: web.Request) -> web.Response:
        asked.append(request.rel_url.raw_path)
        return web.json_response({"status": "done"})

    app = web.Application()
    app.router.add_post("/api/jobs", submit)
    app.router.add_get("/{path:.*}", state)
    ask(app, "/api/jobs")

    assert asked == ["/api/jobs/..%2F..%2Fadmin%3Fx=%23y"] or asked == ["/api/jobs/..%2F..%2Fadmin%3Fx%3D%23y"]


def test_secrets_go_with_every_question_and_to_no_other_host(monkeypatch):
    monkeypatch.setenv("UPLOG_TEST_JOB_KEY", "s3cret")
    heard = []

    async def submit(request: web.Request) -> web.Response:
        heard.append(request.headers.get("X-Key"))
        return web.json_response({"status_url": request.query.get("to", "/state")})

    async def state(request: web.Request) -> web.Response:
        heard.append(request.headers.get("X-Key"))
        return web.json_response({"status": "done"})

    def app() -> web.Application:
        made = web.Application()
        made.router.add_post("/submit", submit)
        made.router.add_get("/state", state)
        return made

    headers = (("X-Key", "env:UPLOG_TEST_JOB_KEY"),)
    fine = ask(app(), "/submit", headers=headers)
    elsewhere = ask(app(), "/submit?to=http://localhost:1/state", headers=headers)

    assert fine.reading is not None
    assert heard == ["s3cret"] * 3
    assert (elsewhere.reason, elsewhere.text) == (
        Reason.REDIRECT_OFFSITE,
        "the state is told by another host, localhost",
    )


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def says(body: object, status: int = 200) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        text = body if isinstance(body, str) else json.dumps(body)
        return web.Response(text=text, status=status)

    return handle


@pytest.mark.parametrize(
    ("submit", "state", "reason", "text"),
    [
        (says({}, 500), None, Reason.HTTP_5XX, "POST /s: expected a status of 200-299, saw 500"),
        (says({}, 401), None, Reason.BLOCKED, "POST /s: expected a status of 200-299, saw 401"),
        (says({}, 302), None, Reason.HTTP_3XX, "POST /s: expected a status of 200-299, saw 302"),
        (says({}, 400), None, Reason.HTTP_4XX, "POST /s: expected a status of 200-299, saw 400"),
        (says("<html>"), None, Reason.BODY, "POST /s: expected JSON"),
        (says("[" * 100_000), None, Reason.BODY, "POST /s: expected JSON"),
        (says([]), None, Reason.ANSWER, "the answer has neither an id of a job nor a URL of its state"),
        (says({"job_id": {"x": 1}}), None, Reason.ANSWER, "the answer has neither an id of a job nor a URL of its state"),
        (says({"status_url": "http://[::1"}), None, Reason.ANSWER, "the URL of the job's state is none"),
        (says({"status_url": "ftp://x/y"}), None, Reason.REDIRECT_OFFSITE, "the state is told by another host, x"),
        (says({"job_id": 1}), says({"error": "Job not found"}, 404), Reason.HTTP_4XX, "GET /api/jobs/1: expected a status of 200-299, saw 404"),
        (says({"job_id": 1}), says({"status": {}}), Reason.ANSWER, "the answer has no state of the job"),
        (says({"job_id": 1}), says({"status": "ERROR", "message": "a\x1bb"}), Reason.ANSWER, "the job is ERROR: a?b"),
    ],
)  # fmt: skip
def test_what_goes_wrong_has_its_reason(submit, state, reason, text):
    app = web.Application()
    app.router.add_post("/s", submit)
    app.router.add_get("/api/jobs/{id}", state or says({}))

    answer = ask(app, "/s")

    assert (answer.reason, answer.text) == (reason, text)
