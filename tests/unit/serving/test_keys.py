"""API keys: what a file may hold, and what a gateway is told of it."""

from __future__ import annotations

import datetime
import hashlib
import re
import threading
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from flightline.errors import FlightlineError
from flightline.serving import keys, keys_map
from flightline.serving.keys import Key

NOW = datetime.datetime(2026, 11, 21, 12, 0, tzinfo=datetime.UTC)
HASH = "A" * 64


def key(name: str = "alice", **fields: object) -> Key:
    values = {"role": "data_scientist", "sha256": keys.digest(name), "created": NOW}
    return Key(name=name, **{**values, **fields})


def test_a_key_has_256_random_bits_and_the_known_shape() -> None:
    made = {keys.new_key() for _ in range(50)}
    assert len(made) == 50
    assert keys.RANDOM_BYTES * 8 == 256
    assert all(re.fullmatch(keys.PATTERN, each) for each in made)


def test_a_hash_is_sha256_in_upper_case() -> None:
    assert keys.digest("fl-x") == hashlib.sha256(b"fl-x").hexdigest().upper()


NAMES = st.from_regex(keys.NAME.replace("$", r"\Z"))
MOMENTS = st.datetimes(
    datetime.datetime(2026, 1, 1), datetime.datetime(2090, 1, 1), timezones=st.just(datetime.UTC)
).map(lambda moment: moment.replace(microsecond=0))
KEYS = st.builds(
    lambda name, role, minute, created, lifetime: key(
        name,
        role=role,
        requests_per_minute=minute,
        created=created,
        expires=lifetime and created + lifetime,
    ),
    NAMES,
    st.sampled_from(("data_scientist", "admin")),
    st.none() | st.integers(1, 1_000_000),
    MOMENTS,
    st.none() | st.timedeltas(datetime.timedelta(seconds=1), datetime.timedelta(days=900)).map(
        lambda each: datetime.timedelta(seconds=int(each.total_seconds()))
    ),
)  # fmt: skip


@given(st.lists(KEYS, unique_by=lambda each: each.name))
def test_what_is_written_is_read_again(listed: list[Key]) -> None:
    assert keys.loads(keys.dumps(listed), "keys.yaml") == tuple(listed)


@given(st.lists(KEYS, unique_by=lambda each: each.name), MOMENTS)
def test_a_map_has_one_sound_line_for_each_key(
    listed: list[Key], moment: datetime.datetime
) -> None:
    text = keys_map.rendered(listed, moment)
    head, *lines, end, last = text.split("\n")
    ended = [line for line in lines if line.startswith("# ")]
    lines = lines[len(ended) :]
    assert keys_map.honoured(text).keys().isdisjoint(keys_map.revoked(text))
    assert len(ended) + len(lines) == len(listed)
    assert (head[0], end, last) == ("#", "# end", "")
    active = [each for each in listed if each.state(moment) == "active"]
    assert lines == sorted(lines)
    assert {line.split(" ")[1].split("|")[1] for line in lines} == {each.name for each in active}
    assert all(re.fullmatch(r"[0-9A-F]{64} [^ |]+(\|[^ |]*){4}", line) for line in lines)


@given(st.text())
def test_any_text_is_a_file_or_one_sentence(text: str) -> None:
    try:
        keys.loads(text, "keys.yaml")
    except FlightlineError as error:
        assert error.message.startswith("keys.yaml")


def test_a_line_of_the_map_has_role_name_limits_and_expiry() -> None:
    full = key(requests_per_minute=60, requests_per_day=1000, expires=NOW.replace(year=2027))
    (line,) = keys_map.entries([full], NOW)
    assert line == f"{full.sha256} data_scientist|alice|60|1000|1826798400"
    assert keys_map.entries([key(role="admin")], NOW) == [f"{key().sha256} admin|alice|||"]


def test_expired_and_revoked_keys_are_not_in_the_map() -> None:
    gone = key("old", created=NOW.replace(year=2025), expires=NOW)
    out = key("out", revoked=NOW)
    assert (gone.state(NOW), out.state(NOW)) == ("expired", "revoked")
    assert keys_map.entries([gone, out], NOW) == []


def document(**fields: object) -> str:
    entry = {"name": "a", "role": "admin", "sha256": HASH, "created": "2026-11-21T12:00:00Z"}
    return yaml.safe_dump({"schema": keys.SCHEMA, "keys": [{**entry, **fields}]})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (document(role="root"), "entry 1"),
        (document(sha256="abc"), "sha256"),
        (document(sha256=HASH.lower()), "sha256"),
        (document(name="a|admin"), "name"),
        (document(name="a\nb"), "name"),
        (document(name='a"'), "name"),
        (document(name=""), "name"),
        (document(name="a" * 65), "name"),
        (document(created="yesterday"), "created"),
        (document(created="2026-11-21T12:00:00"), "created"),
        (document(expires="2026-11-20T12:00:00Z"), "expires before it was created"),
        (document(requests_per_minute=0), "requests_per_minute"),
        (document(requests_per_day=-1), "requests_per_day"),
        (document(key="fl-x"), "no field key"),
        ("schema: other/1\nkeys: []\n", "its schema is not flightline.keys/1"),
        (f"schema: {keys.SCHEMA}\nkeys: {{}}\n", "a list named keys"),
        (f"schema: {keys.SCHEMA}\nkeys: [1]\n", "entry 1"),
        (f"schema: {keys.SCHEMA}\nkeys: []\nmore: 1\n", "expected schema"),
        ("keys: [", "keys.yaml:1: is not YAML"),
        ("", "its schema"),
    ],
)
def test_a_broken_file_is_refused_in_one_sentence(text: str, said: str) -> None:
    with pytest.raises(FlightlineError) as refused:
        keys.loads(text, "keys.yaml")
    assert refused.value.message.startswith("keys.yaml")
    assert said in refused.value.message
    assert "\n" not in refused.value.message
    assert HASH not in refused.value.message


def test_a_name_or_hash_that_is_there_twice_is_refused() -> None:
    for twice in ([key("a"), key("a", sha256=HASH)], [key("a"), key("b", sha256=key("a").sha256)]):
        with pytest.raises(FlightlineError, match="twice; keep one entry"):
            keys.loads(keys.dumps(twice), "keys.yaml")


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "keys.yaml"
    keys.write(path, [key()])
    assert path.stat().st_mode & 0o777 == 0o600
    assert keys.read(path) == (key(),)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "keys.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FlightlineError, match="not UTF-8"):
        keys.read(tmp_path / "keys.yaml")


def test_two_commands_at_once_lose_no_key(tmp_path: Path) -> None:
    path = tmp_path / "keys.yaml"
    keys.write(path, [])

    def add(number: int) -> None:
        with keys.locked(path):
            keys.write(path, [*keys.read(path), key(f"n{number}")])

    threads = [threading.Thread(target=add, args=(number,)) for number in range(20)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(keys.read(path)) == 20


def test_a_gateway_that_agrees_has_no_differences() -> None:
    listed = [key("a"), key("b"), key("c", revoked=NOW)]
    assert keys_map.differences(listed, keys_map.entries(listed, NOW), NOW) == ()


def test_differences_of_a_gateway_are_said_in_words() -> None:
    told = [key("a"), key("b", requests_per_minute=5), key("r")]
    live = [*keys_map.entries(told, NOW), f"{HASH} admin|stranger|||"]
    wanted = [key("b"), key("new"), key("r", revoked=NOW), key("a")]
    assert keys_map.differences(wanted, live, NOW) == (
        "lacks new",
        "has other rights or limits for b",
        "still honours r",
        "honours 1 unknown key",
    )


def test_a_key_that_expired_meanwhile_is_no_difference() -> None:
    soon = key("soon", expires=NOW + datetime.timedelta(hours=1))
    later = NOW + datetime.timedelta(hours=2)
    assert keys_map.differences([soon], keys_map.entries([soon], NOW), later) == ()


SECRET = keys.new_key()


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "a", "sha256": SECRET},
        {"name": "a", "sha256": HASH, "key": SECRET},
        {"name": "a", "key": SECRET},
        {"name": SECRET, "sha256": HASH},
        {"name": [SECRET], "sha256": HASH},
    ],
)
def test_a_key_that_was_pasted_into_the_file_is_not_shown(fields: dict[str, object]) -> None:
    entry = {"role": "admin", "created": "2026-11-21T12:00:00Z", **fields}
    with pytest.raises(FlightlineError) as caught:
        keys.loads(yaml.safe_dump({"schema": keys.SCHEMA, "keys": [entry]}), "keys.yaml")
    assert "entry 1" in caught.value.message
    assert SECRET not in caught.value.message
    assert SECRET.removeprefix("fl-") not in caught.value.message


def test_a_file_nested_without_end_is_refused() -> None:
    with pytest.raises(FlightlineError, match="is not YAML"):
        keys.loads("[" * 5000, "keys.yaml")
