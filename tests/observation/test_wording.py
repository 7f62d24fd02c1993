"""What others say is wrong is told with its innermost cause first, on one line, and nothing twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaportrail_operator.observation.wording import cause_first, one_line, plain_refusal

PULL = (
    'Back-off pulling image "acme/no:1": ErrImagePull: rpc error: code = NotFound desc = failed to pull and '
    'unpack image "docker.io/acme/no:1": failed to resolve reference "docker.io/acme/no:1": '
    "docker.io/acme/no:1: not found"
)


def test_why_an_image_is_not_pulled_comes_before_how_that_was_noticed() -> None:
    assert cause_first(PULL).startswith('docker.io/acme/no:1: not found: Back-off pulling image "acme/no:1"')


@pytest.mark.parametrize(
    "text",
    [
        'secret "keys" not found',
        "0/3 nodes are available: 3 Insufficient nvidia.com/gpu. preemption: 0/3 nodes are available",
        "back-off 10s restarting failed container=runner pod=mnist_ml(1)",
        "",
    ],
)
def test_words_that_wrap_nothing_stay_as_they_are(text: str) -> None:
    assert cause_first(text) == text


def test_what_stands_in_quotes_is_no_chain_of_causes() -> None:
    text = 'rpc error: code = Unknown desc = failed to start container "a: b: c": no such file'
    assert cause_first(text).startswith("no such file: rpc error") or cause_first(text).startswith(
        'code = Unknown desc = failed to start container "a: b: c": no such file'
    )


@given(st.text(max_size=60))
def test_any_text_becomes_one_line_and_none_raises(text: str) -> None:
    for told in (one_line(text), cause_first(text), plain_refusal(text, "x")):
        assert "\n" not in told
        assert "\r" not in told


@given(st.lists(st.sampled_from(["rpc error", "failed to pull x", "a", "not found", 'b "c: d"']), max_size=5))
def test_no_part_of_a_chain_is_lost(parts: list[str]) -> None:
    told = cause_first(": ".join(parts))
    assert {part for part in parts if part in told} == set(parts)


@pytest.mark.parametrize(
    ("text", "said", "plain"),
    [
        ('pods "a-runner" is forbidden: exceeded quota: a', (), "exceeded quota: a"),
        ('Pod "a" is invalid: spec.x: Required value', (), "invalid: spec.x: Required value"),
        ('FailedX\npods "a" is forbidden: no', ("FailedX",), "no"),
        ("FailedX", ("FailedX",), ""),
        ("etcdserver: request is too large", (), "etcdserver: request is too large"),
        ('a "b" is forbidden: c "d" is forbidden: e', (), 'c "d" is forbidden: e'),
    ],
)
def test_a_refusal_says_why_and_not_of_what_again(text: str, said: tuple[str, ...], plain: str) -> None:
    assert plain_refusal(text, *said) == plain
