import sys

import pytest
from ray.serve import Application

import bench.local
from bench import constant
from deployments import local


@pytest.mark.parametrize(
    "module", ["bench.bare", "bench.constant", "bench.embedding_probe", "bench.scaled_probe"]
)
def test_the_module_that_is_named_is_what_runs(module: str, monkeypatch: pytest.MonkeyPatch):
    built: list[Application] = []
    monkeypatch.setattr(sys, "argv", ["local", module, "--port", "1"])
    monkeypatch.setattr(local, "main", lambda build: built.append(build(2)) or 0)
    assert bench.local.main() == 0
    [application] = built
    assert isinstance(application, Application)
    assert sys.argv == ["local", "--port", "1"]


async def test_constants_stand_for_all_that_a_search_asks_of_retrieval():
    retrieval = constant.ConstantRetrieval.__new__(constant.ConstantRetrieval)
    await retrieval.__init__(None)
    assert len(await retrieval.stored_models()) == 1
    assert await retrieval.limit_overrides() == {}
    assert await retrieval.default_profiles() == {}
    found = await retrieval.keys.find(["any"])
    assert (found.any_made, found.records) == (False, {})
