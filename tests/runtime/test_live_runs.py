"""Which runs are live is known as they change, whatever order that is told in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runtime.small_planner import run_of
from vaportrail_operator.observation.entries import ObjectKey, entry_of
from vaportrail_operator.planning.kinds import Kind
from vaportrail_operator.runtime.cache import Cache
from vaportrail_operator.runtime.live_runs import LiveRuns

NAMES = st.sampled_from(["a", "b", "c"])
CHANGES = st.lists(
    st.tuples(st.sampled_from(["team", "other"]), NAMES, st.sampled_from(["Running", "Succeeded", "gone"]))
)


@given(changes=CHANGES, forgotten=st.booleans())
def test_the_live_runs_are_those_that_the_cache_has_and_that_are_not_over(
    changes: list[tuple[str, str, str]], forgotten: bool
) -> None:
    cache = Cache(lambda: 0.0, lambda key: live.changed(key))
    live = LiveRuns(cache)
    for version, (namespace, name, phase) in enumerate(changes, start=1):
        uid = f"uid-{namespace}-{name}"
        if phase == "gone":
            cache.drop(ObjectKey(Kind.RUN, namespace, name), uid, str(version))
            continue
        raw = run_of(name) | {"status": {"phase": phase}}
        raw["metadata"] |= {"namespace": namespace, "uid": uid, "resourceVersion": str(version)}
        entry = entry_of(Kind.RUN, raw)
        assert entry is not None
        cache.put(entry)
    if forgotten:
        cache.forget("team")

    wanted = {key for key, seen in cache.runs() if not seen.over}
    assert set(live) == wanted
    assert sum(live.counts().values()) == len(wanted)
    assert set(live.counts()) == {namespace for namespace, _ in wanted}
