"""What `multipass … --format json` prints, as its contract shows it, and what must not be believed of it."""

from __future__ import annotations

import pytest

from courselab.machines.base import MachineState
from courselab.machines.multipass import answers

LIST = b"""{"list":[
{"name":"k3s-server-1","state":"Running","ipv4":["10.38.112.21","10.42.0.0","10.42.0.1"],"release":"Ubuntu 24.04 LTS"},
{"name":"k3s-agent-1","state":"Stopped","ipv4":[],"release":"Ubuntu 24.04 LTS"},
{"name":"from-file","state":"Deleted","ipv4":[],"release":"Not Available"}]}"""
LIST_MAIN = b"""{"list":[{"name":"a","state":"Unavailable","ipv4":[],"release":"Ubuntu 24.04 LTS",
"zone":{"name":"zone1","available":true}}]}"""
INFO = b"""{"errors":[],"info":{
"k3s-server-1":{"state":"Running","image_hash":"1d2c","image_release":"24.04 LTS","release":"Ubuntu 24.04.3 LTS","cpu_count":"2",
"snapshot_count":"1","load":[0.42,0.31,0.12],"disks":{"sda1":{"total":"20462817280","used":"3512098816"}},
"memory":{"total":4104728576,"used":1287999488},"ipv4":["10.38.112.21"],"mounts":{"/home/ubuntu/src":{"source_path":"/home/me/src",
"uid_mappings":["1000:default"],"gid_mappings":["1000:default"]}}},
"k3s-agent-1":{"state":"Stopped","image_hash":"1d2c","image_release":"24.04 LTS","release":"","cpu_count":"","snapshot_count":"0",
"load":[],"disks":{"sda1":{}},"memory":{},"ipv4":[],"mounts":{}}}}"""
SNAPSHOTS = b'{"errors":[],"info":{"k3s-server-1":{"base":{"parent":"","comment":""},"joined":{"parent":"base","comment":""}}}}'


@pytest.mark.parametrize(
    ("text", "client", "daemon", "numbers"),
    [
        (b'{"multipass":"1.16.3+mac","multipassd":"1.16.3+mac"}', "1.16.3+mac", "1.16.3+mac", (1, 16)),
        (b'{"multipass":"1.16.3+win"}', "1.16.3+win", "", (1, 16)),
        (b'{"multipass":"1.13.0","multipassd":"1.13.0","update":{"title":"t","description":"d","url":"u"}}', "1.13.0", "1.13.0", (1, 13)),
        (b'{"multipass":7}', "", "", (0, 0)),
    ],
)
def test_version(text: bytes, client: str, daemon: str, numbers: tuple[int, int]) -> None:
    seen = answers.version(text)
    assert (seen.client, seen.daemon, seen.numbers) == (client, daemon, numbers)


def test_list() -> None:
    seen = answers.listed(LIST)
    assert {name: one.state for name, one in seen.items()} == {
        "k3s-server-1": MachineState.RUNNING,
        "k3s-agent-1": MachineState.STOPPED,
        "from-file": MachineState.BROKEN,
    }
    assert answers.listed(LIST_MAIN)["a"].state is MachineState.UNKNOWN


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("Running", MachineState.RUNNING),
        ("Delayed Shutdown", MachineState.RUNNING),
        ("Starting", MachineState.STARTING),
        ("Restarting", MachineState.STARTING),
        ("Stopped", MachineState.STOPPED),
        ("Suspended", MachineState.STOPPED),
        ("Deleted", MachineState.BROKEN),
        ("Suspending", MachineState.UNKNOWN),
        ("Unknown", MachineState.UNKNOWN),
        ("Unavailable", MachineState.UNKNOWN),
        ("Dreaming", MachineState.UNKNOWN),
        ("", MachineState.UNKNOWN),
    ],
)
def test_states_that_are_not_known_stay_unknown(said: str, state: MachineState) -> None:
    assert answers.state_of(said) is state


def test_addresses() -> None:
    assert answers.address_in_info(INFO, "k3s-server-1") == "10.38.112.21"
    assert answers.address_in_info(INFO, "k3s-agent-1") == ""
    assert answers.address_in_info(INFO, "another") == ""
    assert answers.address_in_list(LIST, "k3s-server-1") == "10.38.112.21"
    assert answers.address_in_list(LIST, "another") == ""


@pytest.mark.parametrize(
    ("said", "usable"),
    [
        (["N/A"], []),
        (["10.42.0.1", "10.43.7.7", "192.168.64.5"], ["192.168.64.5"]),
        (["10.0.2.15", "10.42.0.0"], []),
        (["127.0.0.1", "169.254.3.4", "224.0.0.1", "0.0.0.0", "fe80::1", "10.38.1", "", None, 7], []),
        (["172.20.16.9", "10.38.112.21"], ["172.20.16.9", "10.38.112.21"]),
    ],
)
def test_addresses_that_cannot_be_the_machines_own_are_dropped(said: list[object], usable: list[str]) -> None:
    assert answers.usable_addresses(said) == usable


def test_snapshots() -> None:
    assert answers.snapshots(SNAPSHOTS, "k3s-server-1") == ["base", "joined"]
    assert answers.snapshots(SNAPSHOTS, "another") == []


@pytest.mark.parametrize("text", [b"", LIST[:100], b"[]", b"null", b"{}", b'{"list":{}}', b"[" * 100_000])
def test_an_answer_that_is_none_is_told_as_such(text: bytes) -> None:
    with pytest.raises(answers.Garbled) as told:
        answers.listed(text)
    assert told.value.why and told.value.fix


def test_rows_of_another_shape_are_left_out() -> None:
    assert answers.listed(b'{"list":[7,null,{"name":5},{"state":"Running"},{"name":"a"}]}').keys() == {"a"}
