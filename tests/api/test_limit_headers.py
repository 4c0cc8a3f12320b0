from serve_app.api.limit_headers import write_standings
from serve_app.core.rate_limits import RateLimit, Standing

TENANT = Standing("tenant", RateLimit(1000, 60.0), 900, 60)
AGENT = Standing("agent-searches", RateLimit(10, 10.5), 3, 7)


def test_one_limit():
    assert dict(write_standings([AGENT], 100.4)) == {
        b"ratelimit-policy": b'"agent-searches";q=10;w=11',
        b"ratelimit": b'"agent-searches";r=3;t=7',
        b"x-ratelimit-limit": b"10",
        b"x-ratelimit-remaining": b"3",
        b"x-ratelimit-reset": b"107",
    }


def test_several_limits_and_the_tightest_under_the_old_names():
    told = dict(write_standings([TENANT, AGENT], 100.0))
    assert told[b"ratelimit-policy"] == b'"tenant";q=1000;w=60, "agent-searches";q=10;w=11'
    assert told[b"ratelimit"] == b'"tenant";r=900;t=60, "agent-searches";r=3;t=7'
    assert told[b"x-ratelimit-remaining"] == b"3"
    assert told[b"x-ratelimit-tenant-limit"] == b"1000"
    assert told[b"x-ratelimit-tenant-remaining"] == b"900"
    assert told[b"x-ratelimit-tenant-reset"] == b"160"


def test_no_limit_is_told_by_silence():
    assert write_standings([], 0.0) == ()
