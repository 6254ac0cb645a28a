"""Local machines: which network a lab gets, which resolvers, and what is said to the host's firewall."""

from __future__ import annotations

import json
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from courselab import process
from courselab.errors import LabError
from courselab.machines.local import firewall, network
from courselab.machines.local.names import HostNames
from courselab.machines.local.network import CANDIDATES, Networks, choose_subnet, nameservers


class Host:
    """Answers `ip` and `nft` as a host with these routes and rules would; remembers what it was told."""

    def __init__(self, routes: list[str] = [], rules: list[dict[str, Any]] = []) -> None:  # noqa: B006 never changed
        self.routes = routes
        self.rules = rules
        self.told: list[str] = []

    def run(self, argv: list[str], *, input: bytes | None = None, **_: Any) -> process.Completed:
        answer: Any = []
        if argv[:3] == ["ip", "-json", "-4"] and "route" in argv:
            answer = [{"dst": route, "dev": "eth0"} for route in ["default", *self.routes] if (route == "default") == ("default" in argv)]
        elif argv[:3] == ["ip", "-json", "link"]:
            answer = [{"mtu": 1400}]
        elif argv[:2] == ["nft", "--json"]:
            answer = {"nftables": self.rules}
        elif input:
            self.told.append(input.decode())
        return process.Completed(tuple(argv), 0, json.dumps(answer).encode(), b"")


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    made = Host()
    monkeypatch.setattr(process, "run", made.run)
    monkeypatch.setattr(network, "nameservers", lambda: [])
    return made


def test_a_network_that_is_in_use_is_not_chosen() -> None:
    first = choose_subnet("key", [])
    second = choose_subnet("key", [first])
    assert not first.overlaps(second)
    assert second.is_private
    assert second.prefixlen == 24


def test_a_wide_route_keeps_everything_below_it() -> None:
    chosen = choose_subnet("key", [IPv4Network("10.0.0.0/8"), IPv4Network("172.16.0.0/12")])
    assert chosen.subnet_of(IPv4Network("192.168.0.0/16"))


def test_pods_and_services_keep_their_networks() -> None:
    for key in range(300):
        chosen = choose_subnet(str(key), [])
        assert not chosen.overlaps(IPv4Network("10.42.0.0/15"))


def test_no_free_network_is_told() -> None:
    with pytest.raises(LabError, match="no free private network"):
        choose_subnet("key", CANDIDATES)


def test_a_lab_keeps_its_network_and_gets_one_that_the_host_does_not_use(tmp_path: Path, host: Host) -> None:
    host.routes = ["10.64.0.0/10", "172.16.0.0/12", "192.168.1.0/24"]
    networks = Networks(tmp_path, HostNames("abcde"))
    first, other = networks.of("02").net, networks.of("03").net
    assert first.subnet_of(IPv4Network("192.168.128.0/17"))
    assert not first.overlaps(other)
    host.routes = [str(first)]  # its own bridge is a route now
    assert Networks(tmp_path, HostNames("abcde")).of("02").net == first


def test_resolvers_on_the_loopback_are_no_use_to_a_machine(tmp_path: Path) -> None:
    stub, real = tmp_path / "stub", tmp_path / "real"
    stub.write_text("nameserver 127.0.0.53\noptions edns0\n")
    real.write_text("# upstream\nnameserver 192.0.2.53\nnameserver fe80::1%eth0\nnameserver 192.0.2.54\nsearch example\n")
    assert nameservers([str(stub), str(real)]) == ["192.0.2.53", "192.0.2.54"]
    assert nameservers([str(stub), str(tmp_path / "gone")]) == []


def test_labs_are_kept_apart_and_let_out() -> None:
    text = firewall.ruleset("courselab_x", [firewall.Side("clabA", "10.1.2.0/24"), firewall.Side("clabB", "10.1.3.0/24")])
    assert 'iifname "clabA" oifname "clab*" oifname != "clabA" drop' in text
    assert 'ip saddr 10.1.3.0/24 oifname != "clabB" masquerade' in text


def test_without_machines_no_table_is_left() -> None:
    assert "chain" not in firewall.ruleset("courselab_x", [])
    assert "delete table inet courselab_x" in firewall.ruleset("courselab_x", [])


DOCKER = [
    {"chain": {"family": "ip", "table": "filter", "name": "FORWARD", "type": "filter", "hook": "forward", "policy": "drop"}},
    {"chain": {"family": "ip", "table": "filter", "name": "DOCKER"}},
    {"chain": {"family": "ip", "table": "nat", "name": "POSTROUTING", "type": "nat", "hook": "postrouting", "policy": "accept"}},
    {"rule": {"family": "ip", "table": "filter", "chain": "FORWARD", "handle": 4, "expr": []}},
]


def test_a_firewall_that_drops_what_is_forwarded_lets_machines_pass(host: Host) -> None:
    host.rules = DOCKER
    firewall.apply("courselab_x", [firewall.Side("clabA", "10.1.2.0/24")])
    told = host.told[0]
    assert 'insert rule ip filter FORWARD iifname "clabA" counter accept comment "courselab_x"' in told
    assert "DOCKER " not in told
    assert "POSTROUTING" not in told


def test_our_passes_are_taken_back_and_nobody_elses(host: Host) -> None:
    ours = {"rule": {"family": "ip", "table": "filter", "chain": "FORWARD", "handle": 9, "comment": "courselab_x", "expr": []}}
    theirs = {"rule": {"family": "ip", "table": "filter", "chain": "FORWARD", "handle": 8, "comment": "courselab_y", "expr": []}}
    host.rules = [*DOCKER, ours, theirs]
    firewall.apply("courselab_x", [])
    assert "delete rule ip filter FORWARD handle 9" in host.told[0]
    assert "handle 8" not in host.told[0]
    assert "insert" not in host.told[0]


def test_an_open_empty_chain_and_another_labs_table_are_left_alone(host: Host) -> None:
    host.rules = [
        {"chain": {"family": "ip", "table": "filter", "name": "FORWARD", "type": "filter", "hook": "forward", "policy": "accept"}},
        {"chain": {"family": "inet", "table": "courselab_y", "name": "forward", "type": "filter", "hook": "forward", "policy": "accept"}},
        {"rule": {"family": "inet", "table": "courselab_y", "chain": "forward", "handle": 3, "expr": []}},
    ]
    firewall.apply("courselab_x", [firewall.Side("clabA", "10.1.2.0/24")])
    assert "insert" not in host.told[0]


def test_a_lab_whose_network_the_host_took_moves_and_its_machines_with_it(tmp_path: Path, host: Host) -> None:
    names = HostNames("abcde")
    networks = Networks(tmp_path, names)
    old = networks.of("02").net
    assert networks.crossed("02") == ""
    host.routes = [str(old)]
    assert networks.crossed("02") == str(old)
    networks.move("02")
    assert not networks.of("02").net.overlaps(old)
    assert Networks(tmp_path, names).crossed("02") == ""


def test_a_vpn_that_takes_all_addresses_does_not_move_a_lab(tmp_path: Path, host: Host) -> None:
    networks = Networks(tmp_path, HostNames("abcde"))
    old = networks.of("02").net
    host.routes = ["0.0.0.0/1", "128.0.0.0/1"]
    assert networks.crossed("02") == "", "it is a default route in two halves"
    host.routes = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]
    networks.move("02")
    assert networks.of("02").net == old, "there is no other, and its own is still more exact"
    host.routes.append(str(old))
    with pytest.raises(LabError, match="no free private network"):
        networks.move("02")


def test_rules_of_the_older_kind_that_cannot_be_joined_are_told_and_hinder_no_removal(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A snap of Docker brings an iptables of its own along."""

    def run(argv: list[str], **words: Any) -> process.Completed:
        if argv[0].endswith("iptables-legacy"):
            raise process.CommandMissing("The program 'iptables-legacy' could not be started")
        return host.run(argv, **words)

    (tmp_path / "tables").write_text("filter\n")
    monkeypatch.setattr(firewall, "LEGACY_TABLES", tmp_path / "tables")
    monkeypatch.setattr(firewall, "find_program", lambda name: None, raising=False)
    monkeypatch.setattr(process, "run", run)
    firewall.apply("courselab_x", [])
    with pytest.raises(LabError, match="would not let machines pass") as told:
        firewall.apply("courselab_x", [firewall.Side("clab1", "10.96.1.0/24")])
    assert "iptables" in told.value.fix


def test_a_default_route_over_several_interfaces_names_none(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "_ip_json", lambda *words: [{"dst": "default", "nexthops": [{"dev": "a"}, {"dev": "b"}]}])
    assert network.uplink_mtu() == 1500
