import contextlib
import json
import os
import re
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import fields

from uplog.collector import config as configuration
from uplog.collector.config import Config, ConfigError, Defaults, load, parse, provenance, schema, strangers
from uplog.collector.declared import KINDS, no_flaws
from uplog.collector.model import Check, Expect, Maintenance, Role, Service, Target
from uplog.collector.probes import BY_OPTIONS, NEED_PORT, PROBES, SCHEMES
from uplog.collector.settings import CheckTable, ServiceTable, file_type, module_of, settings_of

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def _stub_source(monkeypatch):
    """Put a source of our own beside the real ones."""
    monkeypatch.setattr(configuration, "SOURCES", {**configuration.SOURCES, "stub": __name__})


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table of the stub."""

    user: bool = False
    ports: int = 3
    include: tuple[str, ...] = ()


def written(text: str, environ: dict[str, str] | None = None) -> Config:
    return parse(tomllib.loads(text), text, path=Path("/etc/uplog.toml"), folder=Path("/etc"), environ=environ)


def wrong(text: str, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        written(text, environ)
    return [error.removeprefix("/etc/uplog.toml:") for error in caught.value.errors]


def checks(text: str) -> tuple[Check, ...]:
    (target,) = written(text).targets
    return target.checks


# What is right


def test_no_configuration_is_all_defaults():
    config = parse({}, folder=Path("/srv"))

    assert config.defaults == Defaults()
    assert (config.database, config.site, config.internal) == (
        Path("/srv/data/uplog.db"),
        Path("/srv/public"),
        Path("/srv/data/internal"),
    )
    assert (config.title, config.timezone, config.concurrency) == ("Status", ZoneInfo("UTC"), 64)
    assert (config.public_url, config.query_url) == (None, None)
    assert (config.targets, config.controls, config.discover, config.discover_every) == ((), (), {}, 300_000)


def test_relative_paths_begin_in_the_folder_of_the_file(tmp_path, monkeypatch):
    (tmp_path / "conf").mkdir()
    file = tmp_path / "conf" / "uplog.toml"
    file.write_text('[uplog]\ndatabase = "../record/log.db"\nsite = "/srv/www"\n')
    monkeypatch.chdir(tmp_path)

    config = load(Path("conf/uplog.toml"), {})

    assert (config.database, config.site) == (tmp_path / "conf/../record/log.db", Path("/srv/www"))
    assert config.internal == tmp_path / "conf/../record/internal"


def test_without_a_file_the_working_folder_counts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert load(None, {}).database == tmp_path / "data/uplog.db"


def test_a_service_is_a_target_with_the_line_it_was_written_in():
    config = written("""
        [[service]]
        name = "Web shop"
        url = "https://shop.example/health"
        group = "For everybody"
        description = "Where you buy."
        order = 2
        public = false
        every = "1m30s"
        timeout = "500ms"
        failure_threshold = 2
        degraded_above = "400ms"
        grace = "1d"
        expect = { status = [204, "300-399"], body_contains = "ok", follow = false, redirect_hosts = ["www.example"] }
        headers = { Accept = "text/html", Authorization = "env:SHOP_AUTH", X-Token = "file:secrets/token" }
        """)

    assert config.targets == (
        Target(
            source="config",
            ref="uplog.toml:2",
            name="Web shop",
            names=("Web shop",),
            title="Web shop",
            group="For everybody",
            description="Where you buy.",
            order=2,
            public=False,
            checks=(
                Check(
                    key="",
                    service="",
                    kind="http",
                    target="https://shop.example/health",
                    every=90_000,
                    declared_every=90_000,
                    timeout=500,
                    failure_threshold=2,
                    degraded_above=400,
                    grace=86_400_000,
                    expect=Expect(
                        status=((204, 204), (300, 399)),
                        body_contains=("ok",),
                        follow=False,
                        redirect_hosts=("www.example",),
                    ),
                    headers=(
                        ("Accept", "text/html"),
                        ("Authorization", "env:SHOP_AUTH"),
                        ("X-Token", "file:/etc/secrets/token"),
                    ),
                ),
            ),
        ),
    )


def test_what_a_service_leaves_open_is_what_defaults_say():
    (check,) = checks("""
        [defaults]
        every = "30s"
        timeout = "1s"
        success_threshold = 2
        [[service]]
        name = "db"
        url = "tcp://[::1]:5432"
        timeout = "3s"
        """)

    assert (check.kind, check.target) == ("tcp", "tcp://[::1]:5432")
    assert (check.every, check.declared_every, check.timeout, check.success_threshold) == (30_000, 30_000, 3_000, 2)
    assert check.expect == Expect()


def test_further_checks_take_what_they_leave_out_from_their_service():
    plain, ready, port, unit = checks("""
        [[service]]
        name = "api"
        url = "http://127.0.0.1:8080/health?deep=1"
        timeout = "5s"
        expect.body_contains = ["a", "b"]
        headers.Accept = "text/plain"
        [[service.check]]
        role = "readiness"
        target = "/ready"
        every = "10s"
        expect = { status = [200] }
        [[service.check]]
        kind = "tcp"
        target = "127.0.0.1:9090"
        timeout = "1s"
        [[service.check]]
        kind = "systemd"
        name = "process"
        target = "api.service"
        """)

    assert (plain.kind, plain.name, plain.role) == ("http", "", Role.LIVENESS)
    assert (ready.kind, ready.name, ready.role) == ("http", "readiness", Role.READINESS)
    assert (ready.target, ready.every, ready.declared_every) == ("http://127.0.0.1:8080/ready", 10_000, 10_000)
    assert (ready.timeout, ready.expect, ready.headers) == (5_000, Expect(status=((200, 200),)), plain.headers)
    assert (port.kind, port.target, port.timeout) == ("tcp", "tcp://127.0.0.1:9090", 1_000)
    assert (unit.kind, unit.name, unit.target) == ("systemd", "process", "api.service")
    assert unit.every == plain.every == 60_000


def test_another_host_is_not_told_the_headers_of_the_service():
    _, other = checks("""
        [[service]]
        name = "api"
        url = "https://api.example/"
        headers.Authorization = "env:API_AUTH"
        [[service.check]]
        name = "mirror"
        url = "https://mirror.example/"
        """)

    assert other.headers == ()


def test_a_further_check_leaves_the_history_of_the_first_one_alone():
    service = '[[service]]\nname = "api"\nurl = "http://h/"\n'

    (alone,) = checks(service)
    first, _ = checks(service + '[[service.check]]\nrole = "startup"\ntarget = "/x"')

    assert (first.kind, first.name) == (alone.kind, alone.name)


def test_a_control_passes_with_whatever_it_answers():
    (control,) = written('[defaults]\ntimeout = "1s"\n[[control]]\nurl = "https://example.com/"').controls

    assert (control.key, control.kind, control.target) == (
        "control//https://example.com/",
        "http",
        "https://example.com/",
    )
    assert (control.timeout, control.expect) == (1_000, Expect(status=((100, 599),), follow=False, trust="code"))


def test_a_service_that_runs_several_times_is_asked_everywhere():
    plain, ready, other = checks("""
        [[service]]
        name = "api"
        instances = ["http://10.0.0.1:8080/health", "http://10.0.0.2:8080/health"]
        headers.Accept = "text/plain"
        [[service.check]]
        role = "readiness"
        target = "/ready"
        [[service.check]]
        name = "front"
        url = "http://api.example/"
        """)

    assert (plain.kind, plain.target) == ("http", "http://10.0.0.1:8080/health")
    assert plain.instances == ("http://10.0.0.1:8080/health", "http://10.0.0.2:8080/health")
    assert ready.instances == ("http://10.0.0.1:8080/ready", "http://10.0.0.2:8080/ready")
    assert (ready.target, ready.headers) == (ready.instances[0], plain.headers)
    assert (other.target, other.instances, other.headers) == ("http://api.example/", (), ())


def test_instances_that_differ_by_path_alone_are_asked_once_by_a_check_with_a_path():
    plain, ready = checks("""
        [[service]]
        name = "api"
        url = "http://h/one"
        instances = ["http://h/one", "http://h/two"]
        [[service.check]]
        role = "readiness"
        target = "/ready"
        """)

    assert (plain.target, plain.instances) == ("http://h/one", ("http://h/one", "http://h/two"))
    assert (ready.target, ready.instances) == ("http://h/ready", ())


# Kinds


@pytest.mark.parametrize("kind", PROBES)
def test_what_is_known_of_a_kind_without_importing_it_is_what_its_module_says(kind):
    module = module_of(kind)

    assert SCHEMES.get(kind, ()) == (("http", "https") if kind == "http" else getattr(module, "SCHEMES", ()))
    for table in (ServiceTable, CheckTable):
        assert kind not in table.__struct_fields__
    settings = settings_of(kind)
    required = settings is not None and any(one.required for one in fields(settings))
    flawed = not required and settings is not None and any(getattr(module, "flaws", no_flaws)(settings()))
    assert (kind in BY_OPTIONS) == (required or flawed)
    for scheme in NEED_PORT:
        assert scheme not in SCHEMES.get(kind, ()) or module.PORT is None


@pytest.mark.parametrize(("scheme", "kind"), KINDS.items())
def test_the_scheme_of_a_url_says_the_kind(scheme, kind):
    (check,) = checks(f'[[service]]\nname = "a"\nurl = "{scheme}://h:1"')

    assert (check.kind, check.target, check.options) == (kind, f"{scheme}://h:1", {})


def test_what_a_kind_wants_to_know_is_a_table_of_its_name():
    names, secure, other, plain = checks("""
        [[service]]
        name = "a"
        [[service.check]]
        kind = "dns"
        target = "127.0.0.1:5353/example.org"
        dns = { record = "AAAA", answer = "::1", transport = "udp" }
        [[service.check]]
        url = "tls://h"
        tls.ca_file = "tls/ca.pem"
        [[service.check]]
        name = "other"
        url = "tls://i:444"
        tls.ca_file = "/srv/ca.pem"
        [[service.check]]
        kind = "redis"
        target = "h"
        """)

    assert (names.kind, names.target) == ("dns", "dns://127.0.0.1:5353/example.org")
    assert names.options == {"record": "AAAA", "answer": ["::1"]}
    assert (secure.kind, secure.options) == ("tls", {"ca_file": "/etc/tls/ca.pem"})
    assert other.options == {"ca_file": "/srv/ca.pem"}
    assert (plain.kind, plain.target, plain.options) == ("redis", "redis://h", {})


def test_kinds_that_are_told_what_to_do_need_no_target_and_no_url():
    command, job, gateway, container = checks("""
        [[service]]
        name = "Backup"
        [[service.check]]
        kind = "exec"
        target = "disk"
        exec = { argv = ["check_disk", "-w", "10%"] }
        [[service.check]]
        kind = "heartbeat"
        heartbeat = { cron = "0 3 * * *", grace = "30m" }
        [[service.check]]
        kind = "http_json"
        url = "http://gateway/status"
        [[service.check]]
        kind = "docker"
        target = "docker:backup"
        docker.socket_file = "docker.sock"
        """)

    assert (command.target, command.options) == ("disk", {"argv": ["check_disk", "-w", "10%"]})
    assert (job.target, job.options) == ("heartbeat", {"cron": "0 3 * * *", "grace": "30m"})
    assert (gateway.kind, gateway.target) == ("http_json", "http://gateway/status")
    assert (container.target, container.options) == ("docker:backup", {"socket_file": "/etc/docker.sock"})


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('kind = "exec"', "3: service[0].check[0].exec: expected a table that says what a check of kind exec does"),
        ('kind = "exec"\nexec = {}', "exec.argv: expected a list of words such as"),
        ('kind = "exec"\nexec.argv = []', "exec.argv: expected a list of words such as"),
        ('kind = "exec"\nexec.argv = ["./x"]', '5: service[0].check[0].exec.argv: expected a program by its name or its'),
        ('kind = "heartbeat"', "heartbeat: expected a table that says what a check of kind heartbeat does, got nothing"),
        ('kind = "heartbeat"\nheartbeat = {}', "expected one of every, cron or on_calendar, got none"),
        ('kind = "heartbeat"\nheartbeat = { every = "1h", cron = "* * * * *" }', "got every and cron"),
        ('kind = "heartbeat"\nheartbeat.cron = "0 30 * * *"', 'expected an expression such as "0 3 * * *", got "0 30 '),
        ('kind = "heartbeat"\nheartbeat.cron = "0 0 31 2 *"', 'expected an expression such as "0 3 * * *"'),
        ('kind = "heartbeat"\nheartbeat.on_calendar = "Mo"', '5: service[0].check[0].heartbeat.on_calendar: expected an'),
        ('kind = "heartbeat"\nheartbeat = { every = "1h", zone = "Mars" }', 'heartbeat.zone: expected a time zone such'),
        ('kind = "job"\nurl = "http://h/"\njob.state = "status"', 'job.state: expected a path such as "$.job.status"'),
        ('kind = "job"\nurl = "http://h/"\njob.body = "x"', "job.body: expected JSON, got something else"),
        ('kind = "job"\ntarget = "h/jobs"', "target: expected a URL that begins with"),
        ('kind = "http_json"\nurl = "http://h/"\nhttp_json.map = "x"', 'http_json.map: expected a path such as'),
    ],
)  # fmt: skip
def test_what_the_types_of_options_do_not_tell_is_told_all_the_same(text, error):
    (only,) = wrong(f'[[service]]\nname = "a"\n[[service.check]]\n{text}')

    assert error in only
    assert only.endswith(' (in service "a")')


def test_a_further_check_of_the_same_kind_knows_what_its_service_says():
    service = """
        [[service]]
        name = "a"
        url = "tls://h"
        tls = { ca_file = "ca.pem" }
        [[service.check]]
        name = "b"
        url = "tls://h:444"
        """

    assert [check.options for check in checks(service)] == [{"ca_file": "/etc/ca.pem"}] * 2
    assert checks(service + "tls = {}")[1].options == {}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('url = "dns://h/n"\ndns = { recrd = "A" }', '4: service[0].dns.recrd: expected one of answer, exactly, rcode,'),
        ('url = "dns://h/n"\ndns.transport = "sctp"', '4: service[0].dns.transport: expected "udp" or "tcp", got "sctp"'),
        ('url = "dns://h/n"\ndns = 5', "4: service[0].dns: expected a table, got 5"),
        ('url = "http://h/"\ndns = {}', "4: service[0].dns: expected a check of kind dns around it, got one of kind http"),
        ('[[service.check]]\nurl = "dns://h/n"\ntls = {}', "5: service[0].check[0].tls: expected a check of kind tls"),
        ('url = "redis://h"\nredis = { db = 1 }', "4: service[0].redis: expected one of check, degraded_above,"),
        ('url = "grpc://h"', '3: service[0].url: expected grpc://host:port, got "grpc://h"'),
        ('url = "http://h/"\n[[service.check]]\nkind = "redis"', "expected what a check of kind redis asks, got nothing"),
        ('url = "http://h/"\n[[service.check]]\nkind = "redis"\ntarget = "tls://h"', 'expected "tls", as its URL says'),
    ],
)  # fmt: skip
def test_wrong_options_are_told_with_their_line_and_key(text, error):
    (only,) = wrong(f'[[service]]\nname = "a"\n{text}')

    assert error in only


def test_only_kinds_whose_options_are_written_are_imported():
    mapping = {
        "service": [
            {"name": "a", "url": "grpc://h:1"},
            {"name": "b", "check": [{"url": "dns://h/n", "dns": {"record": "MX"}}]},
        ]
    }
    code = f"import sys, uplog.collector.config as c; c.parse({mapping}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    modules = {name for name in done.stdout.split() if name.startswith("uplog.collector.probes.")}
    assert "uplog.collector.probes.dns" in modules
    assert "uplog.collector.probes.grpc" not in modules
    assert "dns" not in done.stdout.split()


# Maintenance


def test_maintenance_is_once_or_again_and_again():
    config = written("""
        [uplog]
        timezone = "Pacific/Auckland"
        [[maintenance]]
        text = "The database moves."
        services = ["Database", "API"]
        start = "2026-11-21T22:00:00+01:00"
        end = 2026-11-21T23:30:00.5Z
        [[maintenance]]
        groups = "For everybody"
        rrule = "FREQ=WEEKLY;BYDAY=SU;BYHOUR=2"
        duration = "90m"
        [[maintenance]]
        rrule = "freq=weekly;interval=2;count=5"
        duration = "1h30s"
        zone = "Europe/Helsinki"
        start = 2026-11-03T05:00:00
        """)

    assert config.maintenance == (
        Maintenance(
            text="The database moves.",
            services=("Database", "API"),
            start=datetime(2026, 11, 21, 21, tzinfo=UTC),
            end=datetime(2026, 11, 21, 23, 30, tzinfo=UTC),
        ),
        Maintenance(
            groups=("For everybody",),
            rrule="FREQ=WEEKLY;BYDAY=SU;BYHOUR=2",
            duration=5_400_000,
            zone="Pacific/Auckland",
        ),
        Maintenance(
            rrule="freq=weekly;interval=2;count=5",
            duration=3_630_000,
            zone="Europe/Helsinki",
            first=datetime(2026, 11, 3, 5),
        ),
    )


def test_what_does_not_recur_does_not_import_dateutil():
    once = "{'maintenance': [{'start': '2026-11-21T22:00:00Z', 'end': '2026-11-21T23:00:00Z'}]}"
    code = f"import sys, uplog.collector.config as c; c.parse({once}); print('dateutil' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"


ONCE = "start = 2026-11-21T22:00:00Z\nend = 2026-11-21T23:00:00Z\n"
AGAIN = 'rrule = "FREQ=DAILY"\nduration = "1h"\n'


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "1: maintenance[0]: expected start and end, or rrule and duration, got neither"),
        ('duration = "1h"', "2: maintenance[0].duration: expected an rrule beside it, got none"),
        (ONCE + 'zone = "UTC"', "4: maintenance[0].zone: expected an rrule beside it, got none"),
        ('end = "2026-11-21T22:00:00Z"', '1: maintenance[0].start: expected a moment like "2026-11-21T22:00:00+01:00"'),
        ("start = 2026-11-21T22:00:00Z", "1: maintenance[0].end: expected a moment like"),
        ('start = "2026-11-21T22:00:00Z"\nend = "2026-11-21T23:00:00+01:00"', "3: maintenance[0].end: expected a moment after"),
        ('start = "2026-11-21T22:00:00"\nend = "2026-11-21T23:00:00Z"', "2: maintenance[0].start: expected a moment that ends in Z"),
        ('start = 2026-11-21\nend = "2026-11-21T23:00:00Z"', '2: maintenance[0].start: expected a moment like "2026'),
        ('start = "0001-01-01T00:00:00+14:00"\nend = "2026-11-21T23:00:00Z"', "expected a year from 2000 to 2999, got"),
        (ONCE + 'service = ["a"]', 'got "service"; did you mean "services"?'),
        ('rrule = "FREQ=DAILY"', '1: maintenance[0].duration: expected a duration like "90m", in whole seconds'),
        ('rrule = "FREQ=DAILY"\nduration = "500ms"', "3: maintenance[0].duration: expected a duration"),
        ('rrule = "FREQ=DAILY"\nduration = "367d"', 'of 366d at most, got "367d"'),
        (AGAIN + "end = 2026-11-21T23:00:00Z", "4: maintenance[0].end: expected either rrule with duration or start"),
        (AGAIN + "start = 2026-11-21T23:00:00Z", "4: maintenance[0].start: expected a local moment without an offset"),
        (AGAIN + 'zone = "Europe/Berlinn"', '4: maintenance[0].zone: expected a time zone such as "Europe/Berlin"'),
    ],
)  # fmt: skip
def test_wrong_maintenance_is_told_with_its_line_and_key(text, error):
    (only,) = wrong(f"[[maintenance]]\n{text}")

    assert error in only


@pytest.mark.parametrize(
    ("rrule", "error"),
    [
        ("nonsense", "expected one of FREQ, BYDAY, WKST, UNTIL, INTERVAL, COUNT, BYMINUTE,"),
        ("BYHOUR=2", "expected FREQ=..."),
        ("FREQ=DAILY;FREQ=DAILY", "expected FREQ=... once"),
        ("FREQ=DAILY;BYEASTER=1", 'got "BYEASTER"'),
        ("FREQ=MINUTELY", "expected FREQ to be one of YEARLY, MONTHLY, WEEKLY, DAILY, HOURLY"),
        ("FREQ=DAILY;BYMINUTE=0,30", "expected BYMINUTE to be a whole number from 0 to 59"),
        ("FREQ=DAILY;BYHOUR=24", "expected BYHOUR to be whole numbers from 0 to 23"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "expected BYMONTHDAY to be whole numbers from -31 to 31 without 0"),
        ("FREQ=DAILY;INTERVAL=0", "expected INTERVAL to be a whole number from 1 to 999"),
        ("FREQ=DAILY;INTERVAL=2", "expected a start beside INTERVAL or COUNT"),
        ("FREQ=DAILY;COUNT=2", "expected a start beside INTERVAL or COUNT"),
        ("FREQ=DAILY;COUNT=2;UNTIL=20270101", "expected either COUNT or UNTIL, got both"),
        ("FREQ=DAILY;UNTIL=20270132", 'expected UNTIL to be a moment such as "20261231"'),
        ("FREQ=WEEKLY;BYDAY=2MO", "expected days without numbers unless it is MONTHLY or YEARLY"),
        ("FREQ=MONTHLY;BYDAY=6MO", "expected numbers of days up to 5"),
        ("FREQ=YEARLY;BYDAY=54MO", "expected numbers of days up to 53"),
        ("FREQ=WEEKLY;BYDAY=SO", "expected BYDAY to be days such as"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "expected a rule that occurs"),
        ("FREQ=DAILY;UNTIL=20200101", "expected a rule that occurs"),
    ],
)
def test_a_wrong_rule_is_told_with_what_is_wrong_in_it(rrule, error):
    (only,) = wrong(f'[[maintenance]]\nrrule = "{rrule}"\nduration = "1h"')

    assert only.startswith("2: maintenance[0].rrule: expected ")
    assert error in only
    assert ", got " in only


def test_names_in_maintenance_that_nothing_has_are_told():
    config = written(
        '[[service]]\nname = "Web shop"\nurl = "http://h/"\ngroup = "Everybody"\n'
        '[[maintenance]]\nservices = ["Web shop", "web-shop", "Databse", "job"]\n'
        + ONCE
        + 'groups = ["Everybdy", "Machine"]'
    )
    known = [
        Service(key="systemd//job", slug="job", name="Job", group="Machine"),
        Service(key="compose/db/db", slug="database", name="Database"),
    ]

    assert list(strangers(config, known)) == [
        '/etc/uplog.toml:6: maintenance[0].services: no service that is known is called "Databse"; did you mean "Database"?',
        '/etc/uplog.toml:9: maintenance[0].groups: no group that is known is called "Everybdy"; did you mean "Everybody"?',
    ]  # fmt: skip


# Sources


def test_a_source_is_turned_on_by_its_table_alone():
    config = written('[discover]\nevery = "1m"\n[discover.stub]\n')

    assert (config.discover, config.discover_every) == ({"stub": Settings()}, 60_000)


def test_sources_that_are_not_configured_are_not_imported():
    code = "import sys, uplog.collector.config as c; c.parse({'discover': {'listeners': {}}}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    modules = done.stdout.split()
    assert "uplog.collector.discover.listeners" in modules
    assert "uplog.collector.discover.compose" not in modules
    assert "aiohttp" not in modules


def test_a_machine_without_time_zones_has_utc_and_says_what_it_lacks():
    code = """if True:
        import sys
        sys.modules["tzdata"] = None
        from datetime import UTC, datetime
        from uplog.collector.config import ConfigError, parse
        moment = datetime(2026, 7, 1, 12, tzinfo=UTC)
        zone = parse({}).timezone
        print(zone, moment.astimezone(zone).isoformat())
        try:
            parse({"uplog": {"timezone": "Europe/Berlin"}})
        except ConfigError as error:
            print(error)
        """
    environ = {**os.environ, "PYTHONTZPATH": ""}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environ)

    first, second = done.stdout.splitlines()
    assert first == "UTC 2026-07-01T12:00:00+00:00"
    assert second.endswith('got "Europe/Berlin"; this machine has no time zones: pip install tzdata')


# The environment


def test_a_variable_outweighs_the_file_and_is_of_the_same_type():
    environ = {
        "UPLOG__UPLOG__TITLE": "5",
        "UPLOG__UPLOG__CONCURRENCY": "7",
        "UPLOG__DEFAULTS__EVERY": "30s",
        "UPLOG__DISCOVER__EVERY": "1h",
        "UPLOG__DISCOVER__STUB__USER": "true",
        "UPLOG_PORT": "8000",
        "HOME": "/root",
    }

    config = written('[uplog]\ntitle = "File"\n[defaults]\ntimeout = "1s"', environ)

    assert (config.title, config.concurrency, config.discover_every) == ("5", 7, 3_600_000)
    assert (config.defaults.every, config.defaults.timeout) == (30_000, 1_000)
    assert config.discover == {"stub": Settings(user=True)}


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("UPLOG__DEFAULTS__EVERY", "30", 'expected a duration like "5s", got "30"'),
        ("UPLOG__UPLOG__CONCURRENCY", "many", 'expected a whole number from 1 to 10000, got "many"'),
        ("UPLOG__DISCOVER__STUB__USER", "perhaps", 'expected true or false, got "perhaps"'),
        ("UPLOG__UPLOG__TIMEZONE", "Mars", 'expected a time zone such as "Europe/Berlin", got "Mars"'),
        ("UPLOG__DEFAULTS__EVRY", "1s", 'did you mean "UPLOG__DEFAULTS__EVERY"?'),
        ("UPLOG__DISCOVER__STUBB__USER", "true", 'did you mean "UPLOG__DISCOVER__STUB__USER"?'),
        ("UPLOG__SERVICE", "x", "expected a variable that stands for a key"),
    ],
)
def test_a_wrong_variable_is_named(name, value, sentence):
    (error,) = wrong("", {name: value})

    assert error.startswith(f"{name}: ")
    assert sentence in error


def test_a_variable_does_not_hide_that_its_table_is_none():
    assert wrong("defaults = 5", {"UPLOG__DEFAULTS__EVERY": "5s"}) == ["1: defaults: expected a table, got 5"]


# What is wrong


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("[uplog]\ntitle = 5", "2: uplog.title: expected text on one line, without space around it, got 5"),
        ('[uplog]\ntimezone = "Europe/Berlinn"', 'got "Europe/Berlinn"; did you mean "Europe/Berlin"?'),
        ('[uplog]\ntimezone = "../etc/passwd"', '2: uplog.timezone: expected a time zone such as "Europe/Berlin"'),
        ('[uplog]\ntimezone = "Europe"', '2: uplog.timezone: expected a time zone such as "Europe/Berlin"'),
        ('[uplog]\nlanguage = "de_DE"', 'expected one of en, de, es, fr, ja, ar, got "de_DE"; did you mean "de"?'),
        ('[uplog]\nlanguage = "pt"', '2: uplog.language: expected one of en, de, es, fr, ja, ar, got "pt"'),
        ('[uplog]\npublic_url = "tcp://h:1"', "2: uplog.public_url: expected a URL that begins with http:// or https"),
        (
            '[uplog]\npublic_url = "https://h/?a"',
            '2: uplog.public_url: expected a URL without ? and #, got "https://h/?a"',
        ),
        ('[uplog]\nquery_url = "http://h/#a"', '2: uplog.query_url: expected a URL without ? and #, got "http://h/#a"'),
        (
            '[uplog]\nsite = "data"',
            '2: uplog.site: expected a folder without the record, the internal page and the configuration, got "data"',
        ),
        (
            '[uplog]\nsite = "data/../."',
            "2: uplog.site: expected a folder without the record, the internal page and the conf",
        ),
        (
            '[uplog]\nsite = "data/internal"',
            "2: uplog.site: expected a folder without the record, the internal page and the conf",
        ),
        ("[uplog]\nconcurrency = 0", "2: uplog.concurrency: expected a whole number from 1 to 10000, got 0"),
        ("[uplog]\nconcurrency = true", "expected a whole number from 1 to 10000, got true"),
        ("uplog = 5", "1: uplog: expected a table, got 5"),
        ("[defaults]\ntimout = 5", 'got "timout"; did you mean "timeout"?'),
        ("[defaults]\nxyzzy = 5", "2: defaults.xyzzy: expected one of allow_addresses, allow_exec, "),
        (
            "[default]\n",
            '1: default: expected one of control, defaults, discover, maintenance, rule, service, theme, uplog, got "default"',
        ),
        ("[defaults]\ntimeout = 5", '2: defaults.timeout: expected a duration like "5s", got 5'),
        ('[defaults]\ntimeout = "5"', 'expected a duration like "5s", got "5"'),
        ('[defaults]\ntimeout = "-5s"', 'expected a duration like "5s", got "-5s"'),
        ('[defaults]\nevery = "0s"', 'expected a duration like "5s", got "0s"'),
        ('[defaults]\nevery = ""', 'expected a duration like "5s", got ""'),
        ('[defaults]\ngrace = "9999999d"', 'expected a duration like "5s", got "9999999d"'),
        ("[defaults]\nfailure_threshold = -1", "expected a whole number from 1 to 10000, got -1"),
        ("[discover.systemdd]", 'got "systemdd"; did you mean "systemd"?'),
        ("[discover.stub]\nuser = 1", "2: discover.stub.user: expected true or false, got 1"),
        ("[discover.stub]\ninclude = [\n'a', 2]", '2: discover.stub.include: expected a list of text, got ["a", 2]'),
        ("[discover.stub]\nusr = true", 'got "usr"; did you mean "user"?'),
        ("[discover]\nstub = true", "2: discover.stub: expected a table, got true"),
        ("discover = 5", "1: discover: expected a table, got 5"),
        ("[service]\nname = 'a'", "1: service: expected tables [[service]], got a table"),
        ("service = [1]", "1: service[0]: expected a table, got 1"),
        ("control = ['http://h/']", '1: control[0]: expected a table, got "http://h/"'),
        ("[[control]]\n", '1: control[0].url: expected a URL such as "https://example.org/", got nothing'),
        ("[[control]]\nurl = 'h:80'", "2: control[0].url: expected a URL that begins with"),
    ],
)
def test_a_wrong_value_is_told_with_its_line_and_key(text, error):
    (only,) = wrong(text)

    assert error in only
    assert re.match(r"\d+: [a-z_.0-9\[\]]+: expected .+, got .+", only)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "1: service[0]: expected a url or a [[service.check]], got neither"),
        ('url = "http://h:99999/"', '3: service[0].url: expected a port from 1 to 65535, got "http://h:99999/"'),
        ('url = "http://h:0/"', "expected a port from 1 to 65535"),
        ('url = "http://h:x/"', "expected a port from 1 to 65535"),
        ('url = "http://[::1/"', "3: service[0].url: expected a URL"),
        ('url = "http://h/a b"', "3: service[0].url: expected a URL with a host and without space"),
        ('url = "http:///x"', "expected a URL with a host and without space"),
        ('url = "ftp://h/"', "expected a URL that begins with amqp://, dns://, grpc://, grpcs://, http://, https://, "),
        ('url = "tcp://h"', 'expected tcp://host:port, got "tcp://h"'),
        ('url = "tcp://h:1/x"', 'expected tcp://host:port, got "tcp://h:1/x"'),
        ('url = "http://h/"\nexpect.status = []', "4: service[0].expect.status: expected a list of codes"),
        ('url = "http://h/"\nexpect.status = [200, 700]', "got [200, 700]"),
        ('url = "http://h/"\nexpect.status = [200,\n"399-300"]', "5: service[0].expect.status[1]: expected the lower"),
        ('url = "http://h/"\nexpect.body_contain = "x"', 'got "body_contain"; did you mean "body_contains"?'),
        ('url = "http://h/"\nheaders = { "a b" = "c" }', "expected the name of a header"),
        ('url = "http://h/"\nheaders = { A = "env:9" }', "got a reference without a proper name"),
        ('url = "http://h/"\nheaders = { A = "b\\nC: d" }', "expected a value on one line"),
        ("[[service.check]]", "3: service[0].check[0].target: expected a whole URL, since its service has none"),
        ('[[service.check]]\ntarget = "/x"', "4: service[0].check[0].target: expected a whole URL"),
        ('[[service.check]]\nkind = "htpt"\ntarget = "x"', 'got "htpt"; did you mean "http"?'),
        ('[[service.check]]\nkind = "systemd"', "expected what a check of kind systemd asks, got nothing"),
        ('[[service.check]]\nkind = "tcp"\ntarget = "http://h/"', '4: service[0].check[0].kind: expected "http"'),
        ('[[service.check]]\nkind = "tcp"\ntarget = "h"', "5: service[0].check[0].target: expected tcp://host:port"),
        ('[[service.check]]\nurl = "http://h/"\ntarget = "/x"', "expected either url or target, got both"),
        ('instances = ["http://h/"]', "3: service[0].instances: expected two URLs or more"),
        ('instances = ["http://h/", "http://h/"]', "3: service[0].instances: expected two URLs or more"),
        ('instances = ["http://h/", "tcp://h:1"]', "all of one kind and all different"),
        ('instances = ["http://h/", "ftp://h/"]', "3: service[0].instances[1]: expected a URL that begins with"),
        (
            'url = "http://i/"\ninstances = ["http://h/", "http://i/"]',
            '3: service[0].url: expected the first of the instances or nothing, got "http://i/"',
        ),
        (
            'instances = ["http://h/"]\n[[service.check]]\ntarget = "/x"',
            "3: service[0].instances: expected two URLs or more",
        ),
        (
            '[[service.check]]\nrole = "ready"\nurl = "http://h/"',
            'expected "liveness", "readiness" or "startup", got "ready"',
        ),
    ],
)
def test_a_wrong_service_is_told_by_its_name(text, error):
    (only,) = wrong(f'[[service]]\nname = "api"\n{text}')

    assert error in only
    assert only.endswith(' (in service "api")') or text == ""


def test_checks_of_one_kind_and_role_need_names():
    service = '[[service]]\nname = "api"\nurl = "http://h/"\n[[service.check]]\ntarget = "/a"\n'

    (error,) = wrong(service)

    assert error.startswith("4: service[0].check[0]: expected a name that tells this check from the other of kind http")
    assert [check.name for check in checks(service + 'name = "a"')] == ["", "a"]
    (error,) = wrong(service + 'name = "a"\n[[service.check]]\nname = "a"\nrole = "startup"')
    assert 'got "a" again' in error


def test_two_services_of_one_name_are_told_where_the_other_is():
    assert wrong('[[service]]\nname = "a"\nurl = "http://h/"\n[[service]]\nurl = "http://h/"\nname = "a"') == [
        '6: service[1].name: expected a name of its own, got "a", which service[0] in line 2 has'
    ]


def test_a_service_without_a_name_is_told():
    assert wrong('[[service]]\nurl = "http://h/"\n[[service]]\nurl = "http://h/"') == [
        "1: service[0].name: expected text on one line, without space around it, got nothing",
        "3: service[1].name: expected text on one line, without space around it, got nothing",
    ]


def test_all_errors_are_told_at_once_in_the_order_of_the_file():
    errors = wrong(
        """
        [uplog]
        timezone = "Mars"
        [defaults]
        every = 5
        evry = "5s"
        [[service]]
        name = "a"
        url = "http://h:99999/"
        timeout = 5
        headers.Authorization = "Basic c2VjcmV0"
        [[service]]
        name = "a"
        expect.status = ["9"]
        [[service.check]]
        kind = "htp"
        [discover.stubb]
        [discover.stub]
        user = 0
        """,
        {"UPLOG__UPLOG__TITEL": "x"},
    )

    assert [error.split(": ")[0] for error in errors] == [
        "UPLOG__UPLOG__TITEL",
        *(str(line) for line in (3, 5, 6, 9, 10, 11, 13, 14, 16, 17, 19)),
    ]


def test_no_secret_is_printed():
    url, header = "http://me:CANARY@h/", "headers.Authorization"
    texts = [
        f'[[service]]\nname = "a"\nurl = "{url}"',
        f'[[service]]\nname = "a"\nurl = "ftp{url}"',
        f'[uplog]\npublic_url = "{url}"',
        '[uplog]\npublic_url = "http://me:pa/CANARY@h/"',
        f'[[control]]\nurl = ["{url}"]',
        f'[[service]]\nname = "a"\ninstances = ["{url}", "http://h/"]',
        f'[[service]]\nname = "a"\n[[service.check]]\ntarget = "{url}"',
        f'[[service]]\nname = "a"\nurl = "http://h/"\n{header} = "Bearer CANARY"',
        f'[[service]]\nname = "a"\nurl = "http://h/"\n{header} = ["CANARY"]',
        '[[service]]\nname = "a"\nurl = "http://h/"\nheaders = ["CANARY"]',
        '[[service]]\nname = "a"\nurl = "http://h/"\nheaders.X-Api-Key = "CANARY"',
        '[[service]]\nname = "a"\nurl = "http://h/"\nheaders.Cookie = "CANARY"',
        '[[service]]\nname = "a"\nurl = "http://h/"\nheaders.X-Secret = "file:"\nheaders.My-token = "CANARY"',
    ]

    for text in texts:
        assert "CANARY" not in "\n".join(wrong(text))


SCALARS = st.one_of(
    st.sampled_from(
        ["http://h/", "http://[::1", "tcp://h:1", "h:1", "//[", "/x", "5s", "0s", "env:A", "tcp", "http", "UTC"]
    ),
    st.text(max_size=5),
    st.integers(),
    st.booleans(),
    st.floats(),
    st.dates(),
    st.datetimes(timezones=st.sampled_from([None, UTC])),
    st.sampled_from(["FREQ=DAILY", "FREQ=DAILY;COUNT=2", "FREQ=", "2026-11-21T22:00:00Z", "1h", "Mars"]),
)
KEYS = st.sampled_from(
    re.findall(
        r"\w+",
        """
    uplog defaults service control discover check expect headers name url target kind role status every timeout
    timezone stub user public_url body_contains x
    maintenance instances text services groups start end rrule duration zone
    dns tls grpc record ca_file transport
""",
    )
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=20
)
CHECKS = st.lists(st.dictionaries(KEYS, VALUES, max_size=4), max_size=3)
RULES = st.lists(st.dictionaries(KEYS, VALUES, max_size=5), max_size=2)
SERVICES = st.lists(st.fixed_dictionaries({}, optional={"name": VALUES, "url": SCALARS, "check": CHECKS}), max_size=3)


@given(st.dictionaries(KEYS, VALUES, max_size=4), SERVICES, RULES)
def test_whatever_is_written_is_a_configuration_or_a_list_of_errors(mapping, services, rules):
    with contextlib.suppress(ConfigError):
        assert provenance(parse({"service": services, "maintenance": rules, **mapping}))


# Files


def test_a_file_that_is_no_toml_is_told_with_the_line(tmp_path):
    file = tmp_path / "uplog.toml"

    file.write_text("[uplog]\ntitle = \n")
    with pytest.raises(ConfigError, match=r"uplog\.toml:2: not TOML: Invalid value \(column 9\)$"):
        load(file, {})

    file.write_text('[uplog]\ntitle = """\n')
    with pytest.raises(ConfigError, match=r"uplog\.toml:2: not TOML: "):
        load(file, {})

    file.write_bytes(b'[uplog]\ntitle = "\xff"\n')
    with pytest.raises(ConfigError, match=r"uplog\.toml:2: expected text in UTF-8, got the byte 0xff$"):
        load(file, {})


def test_a_file_that_cannot_be_read_is_told_in_a_sentence(tmp_path):
    with pytest.raises(ConfigError, match=r"uplog\.toml: there is no such file; `uplog init` writes one$"):
        load(tmp_path / "uplog.toml", {})
    with pytest.raises(ConfigError, match=f"{os.path.basename(tmp_path)}: could not be read: Is a directory$"):
        load(tmp_path, {})


# Showing


def test_provenance_says_where_each_value_comes_from():
    config = written(
        '[uplog]\ntitle = "Shop"\n[[service]]\nname = "a"\nurl = "http://h/"\nheaders.X-Token = "env:TOKEN"\n'
        "[discover.stub]\n[[control]]\nurl = 'https://h/'\n"
        "[[service]]\nname = 'b'\nurl = 'dns://h/n'\ndns.record = 'MX'",
        {"UPLOG__DEFAULTS__EVERY": "30s", "UPLOG__DISCOVER__STUB__PORTS": "4"},
    )

    rows = provenance(config)

    for row in [
        ("uplog.title", "Shop", "/etc/uplog.toml:2"),
        ("uplog.public_url", "none", "default"),
        ("defaults.every", "30s", "UPLOG__DEFAULTS__EVERY"),
        ("defaults.timeout", "2s", "default"),
        ("service[0].headers.X-Token", "env:TOKEN", "/etc/uplog.toml:6"),
        ("service[1].dns.record", "MX", "/etc/uplog.toml:13"),
        ("control[0].url", "https://h/", "/etc/uplog.toml:9"),
        ("discover.every", "5m", "default"),
        ("discover.stub.ports", "4", "UPLOG__DISCOVER__STUB__PORTS"),
        ("discover.stub.user", "false", "default"),
    ]:
        assert row in rows
    assert len({key for key, _, _ in rows}) == len(rows)


def test_provenance_does_not_speak_of_sources_that_are_off():
    rows = provenance(written("[discover.stub]"))

    assert {key for key, _, _ in rows if key.startswith("discover.")} == {
        "discover.every",
        "discover.ask_from",
        "discover.group_by",
        *(f"discover.stub.{key}" for key in ("user", "ports", "include")),
    }


def test_the_schema_describes_every_key():
    tables = schema()["$defs"]

    assert set(tables["DiscoverTable"]["properties"]) == {"every", "ask_from", "group_by", *configuration.SOURCES}
    for name in (
        "UplogTable",
        "ThemeTable",
        "AccentTable",
        "DefaultsTable",
        "ServiceTable",
        "CheckTable",
        "ExpectTable",
        "ControlTable",
        "MaintenanceTable",
        "MatchTable",
        "RuleTable",
    ):
        assert tables[name]["description"]
        assert tables[name]["additionalProperties"] is False
        for key, value in tables[name]["properties"].items():
            assert any(word in json.dumps(value) for word in ('"description"', '"$ref"')), f"{name}.{key}"
    for kind in PROBES:
        assert (kind in tables["CheckTable"]["properties"]) == (settings_of(kind) is not None)
    json.dumps(tables)


def test_the_schema_and_the_parser_know_the_same_durations():
    pattern = schema()["$defs"]["DefaultsTable"]["properties"]["every"]["pattern"]

    for duration in ("5s", "500ms", "1h", "1m30s", "1d2h3m4s5ms", "5", "s", "", "1s1m", "1.5s", " 5s", "0s", "1w"):
        text = f'[defaults]\nevery = "{duration}"'
        if re.search(pattern, duration):
            assert written(text).defaults.every > 0
        else:
            assert wrong(text)


@pytest.mark.parametrize(("status", "spans"), [("204", ((204, 204),)), ('"200-299"', ((200, 299),))])
def test_a_single_status_need_not_be_a_list(status, spans):
    (target,) = written(f'[[service]]\nname = "a"\nurl = "http://h/"\nexpect = {{ status = {status} }}\n').targets

    assert target.checks[0].expect.status == spans


def test_every_one_of_many_services_knows_its_line():
    text = "".join(
        f'[[service]]\nname = "service {place}"\nurl = "http://127.0.0.1:{place + 1}/health"\ngroup = "all"\n'
        f'every = "30s"\nexpect = {{ status = [200, "300-399"] }}\n[[service.check]]\nrole = "readiness"\ntarget = "/r"\n'
        for place in range(1_000)
    )

    config = parse(tomllib.loads(text), text)

    assert len(config.targets) == 1_000
    assert config.targets[-1].ref == f"uplog.toml:{999 * 9 + 1}"


def test_every_real_source_has_a_table_that_can_be_written():
    names = [name for name in configuration.SOURCES if name != "stub"]

    config = written("".join(f"[discover.{name}]\n" for name in names))

    assert list(config.discover) == names
    assert file_type(configuration.SOURCES, names)
