"""Chapter 03: right answers pass however they were reached, wrong ones fail and are named."""

from __future__ import annotations

import copy
import datetime
import ssl
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from checkers.ch03 import certificate_of
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.unit.checkers.answers import assert_all_pass, assert_fails, assert_fails_unexplained, each_right, each_wrong
from tests.unit.checkers.fake_cluster import FakeCluster, Obj, objects
from tests.unit.checkers.fake_network import Network

ALL = {"service", "public", "route", "paths", "tls"}
SOLUTION = """
apiVersion: v1
kind: Service
metadata: {name: shop, namespace: {namespace}}
spec:
  type: ClusterIP
  clusterIP: 10.43.0.11
  selector: {app: shop}
  ports:
    - {port: 80, targetPort: {port}}
---
apiVersion: v1
kind: Service
metadata: {name: shop-public, namespace: {namespace}}
spec:
  type: LoadBalancer
  clusterIP: 10.43.0.12
  selector: {app: shop}
  ports:
    - {port: {public}, targetPort: {port}}
---
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: {namespace}}
spec:
  type: ClusterIP
  clusterIP: 10.43.0.13
  selector: {app: cart}
  ports:
    - {port: 80, targetPort: {cart_port}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop, namespace: {namespace}}
spec:
  ingressClassName: traefik
  tls:
    - {hosts: ["{host}"], secretName: shop-tls}
  rules:
    - host: "{host}"
      http:
        paths:
          - {path: /, pathType: Prefix, backend: {service: {name: shop, port: {number: 80}}}}
          - {path: /cart, pathType: Prefix, backend: {service: {name: cart, port: {number: 80}}}}
---
apiVersion: v1
kind: Secret
type: kubernetes.io/tls
metadata: {name: shop-tls, namespace: {namespace}}
data: {tls.crt: redacted, tls.key: redacted}
"""
CLASS = {"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": "traefik"}}
TRAEFIK = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "traefik", "namespace": "kube-system", "uid": "traefik"},
    "spec": {
        "type": "LoadBalancer",
        "selector": {"app": "traefik"},
        "ports": [{"name": "web", "port": 80}, {"name": "websecure", "port": 443}],
    },
}


class Lab:
    """A lab on paper; tests change its objects, then have it judged."""

    def __init__(self, *, solved: bool = True) -> None:
        self.cluster = FakeCluster("03")
        self.params = self.cluster.params
        self.cluster.add(CLASS)
        self.cluster.add(TRAEFIK)
        for path in self.cluster.lab.manifests_folder.glob("*.yaml"):
            self.cluster.apply(path.read_text())
        self.objects = objects(SOLUTION, self.params) if solved else []
        self.certificates = {"shop-tls": certificate(self.params.host)}

    def __getitem__(self, name: str) -> Obj:
        kind, _, name = name.partition("/")
        return next(obj for obj in self.objects if obj["kind"] == kind and obj["metadata"]["name"] == name)

    def drop(self, name: str) -> None:
        self.objects.remove(self[name])

    @property
    def paths(self) -> list[Obj]:
        return self["Ingress/shop"]["spec"]["rules"][0]["http"]["paths"]

    def verdicts(self) -> Any:
        for obj in self.objects:
            self.cluster.add(obj)
        network = Network(self.cluster)
        network.settle()
        host = self.params.host
        inside = [obj for obj in self.objects if obj["kind"] == "Service" and obj["metadata"]["name"] == "shop"]
        here = [obj for obj in inside if obj["metadata"]["namespace"] == self.params.namespace]
        nobody = {"status": 0, "body": "", "error": "the Service has no address"}
        self.cluster.probe("03.inside", network.through(here[0], 80, "/") if here else nobody)
        self.cluster.probe("03.outside", network.outside(int(self.params.public)))
        self.cluster.probe(
            "03.by-host", {"own": network.ask(host, "/"), "other": network.ask(f"somebody-else.{self.params.namespace}.example", "/")}
        )
        self.cluster.probe(
            "03.by-path", {path: network.ask(host, path) for path in ("/cart", "/cart/items", "/cart/7f3a", "/bread", "/7f3a-bread")}
        )
        self.cluster.probe("03.secure", {**network.ask(host, "/"), **network.certificate(host, self.certificates)})
        return self.cluster.verdicts()

    def passed(self) -> set[str]:
        return {name for name, one in self.verdicts().items() if one.passed}


def certificate(*names: str, until: float = 9e9) -> Obj:
    return {"subject": names[0], "names": list(names), "since": 0, "until": until}


def test_the_solved_lab_passes_everything() -> None:
    assert Lab().passed() == ALL


def test_the_untouched_lab_passes_nothing() -> None:
    verdicts = Lab(solved=False).verdicts()
    assert not [name for name, one in verdicts.items() if one.passed or one.credit]
    assert {name for name, one in verdicts.items() if one.verdict.value == "fail"} == {"service", "public"}


# Right answers reached another way ------------------------------------------------------------------------------------------


def named_target_port(lab: Lab) -> None:
    lab["Service/shop"]["spec"]["ports"][0]["targetPort"] = "http"


def more_ports(lab: Lab) -> None:
    lab["Service/shop"]["spec"]["ports"] = [
        {"name": "http", "port": 80, "targetPort": int(lab.params.port)},
        {"name": "direct", "port": int(lab.params.port), "targetPort": int(lab.params.port)},
    ]


def narrower_selector(lab: Lab) -> None:
    lab["Service/shop"]["spec"]["selector"] = {"app": "shop", "tier": "front"}


def a_node_port(lab: Lab) -> None:
    lab["Service/shop"]["spec"]["type"] = "NodePort"
    lab["Service/shop"]["spec"]["ports"][0]["nodePort"] = 31000


def backend_by_name(lab: Lab) -> None:
    more_ports(lab)
    lab.paths[0]["backend"]["service"]["port"] = {"name": "http"}


def backend_by_other_port(lab: Lab) -> None:
    more_ports(lab)
    lab.paths[0]["backend"]["service"]["port"] = {"number": int(lab.params.port)}


def two_ingresses(lab: Lab) -> None:
    [other] = [obj for obj in objects(SOLUTION, lab.params) if obj["kind"] == "Ingress"]
    other["metadata"]["name"] = "cart"
    other["spec"].pop("tls")
    other["spec"]["rules"][0]["http"]["paths"] = [lab.paths.pop()]
    lab.objects.append(other)


def other_names(lab: Lab) -> None:
    lab["Service/cart"]["metadata"]["name"] = "basket"
    lab.paths[1]["backend"]["service"]["name"] = "basket"
    lab["Ingress/shop"]["metadata"]["name"] = "front-door"


def through_the_public_service(lab: Lab) -> None:
    lab.paths[0]["backend"]["service"] = {"name": "shop-public", "port": {"number": int(lab.params.public)}}


def old_class_annotation(lab: Lab) -> None:
    lab["Ingress/shop"]["spec"].pop("ingressClassName")
    lab["Ingress/shop"]["metadata"]["annotations"] = {"kubernetes.io/ingress.class": "traefik"}


def path_with_slash(lab: Lab) -> None:
    lab.paths[1]["path"] = "/cart/"


def implementation_specific(lab: Lab) -> None:
    for entry in lab.paths:
        entry["pathType"] = "ImplementationSpecific"


def another_host_beside(lab: Lab) -> None:
    [rule] = lab["Ingress/shop"]["spec"]["rules"]
    lab["Ingress/shop"]["spec"]["rules"].append({**rule, "host": "test.example"})


def certificate_of_many_names(lab: Lab) -> None:
    lab.certificates["shop-tls"] = certificate("example.org", lab.params.host)


def certificate_with_a_star(lab: Lab) -> None:
    lab.certificates["shop-tls"] = certificate("*." + lab.params.host.partition(".")[2])


def certificate_of_another_type(lab: Lab) -> None:
    """Traefik looks at the keys, not at the type."""
    lab["Secret/shop-tls"]["type"] = "Opaque"


def more_shop(lab: Lab) -> None:
    shop = lab.cluster.find("Deployment", "shop")
    lab.cluster.remove("Pod", "ReplicaSet")
    lab.cluster.objects.remove(shop)
    shop["spec"]["replicas"] = 5
    lab.cluster.run(shop)
    cart = lab.cluster.find("Deployment", "cart")
    lab.cluster.objects.remove(cart)
    lab.cluster.run(cart)


RIGHT = [
    named_target_port,
    more_ports,
    narrower_selector,
    a_node_port,
    backend_by_name,
    backend_by_other_port,
    two_ingresses,
    other_names,
    through_the_public_service,
    old_class_annotation,
    path_with_slash,
    implementation_specific,
    another_host_beside,
    certificate_of_many_names,
    certificate_with_a_star,
    certificate_of_another_type,
    more_shop,
]


@each_right(RIGHT)
def test_right_answers_pass_however_they_were_reached(change: Callable[[Lab], None]) -> None:
    lab = Lab()
    change(lab)
    assert_all_pass(lab)


# Wrong answers --------------------------------------------------------------------------------------------------------------

Change = Callable[[Lab], Any]


def service(name: str, **spec: Any) -> Change:
    return lambda lab: lab[f"Service/{name}"]["spec"].update(yaml.safe_load(lab.params.fill(yaml.safe_dump(spec))))


def moved(name: str) -> Change:
    return lambda lab: lab[name]["metadata"].update(namespace="default")


def dropped(name: str) -> Change:
    return lambda lab: lab.drop(name)


def no_endpoints_ready(lab: Lab) -> None:
    lab["Service/shop"]["spec"]["selector"] = {}


def backend(place: int, name: str, port: str) -> Change:
    return lambda lab: lab.paths[place]["backend"].update(service={"name": name, "port": {"number": int(lab.params.fill(port))}})


def host(text: str | None) -> Change:
    def change(lab: Lab) -> None:
        [rule] = lab["Ingress/shop"]["spec"]["rules"]
        rule.pop("host")
        if text:
            rule["host"] = lab.params.fill(text)

    return change


def class_named(name: str | None) -> Change:
    return lambda lab: lab["Ingress/shop"]["spec"].update(ingressClassName=name)


def without_class_and_service(lab: Lab) -> None:
    """Traefik, as K3s sets it up, takes an Ingress without a class as well: that is not what is wrong."""
    class_named(None)(lab)
    backend(0, "web", "80")(lab)


def front_exact(lab: Lab) -> None:
    """What `kubectl create ingress` makes of a rule without a star."""
    lab.paths[0]["pathType"] = "Exact"


def exact(lab: Lab) -> None:
    lab.paths[1]["pathType"] = "Exact"


def only_root(lab: Lab) -> None:
    lab.paths.pop()


def cart_everywhere(lab: Lab) -> None:
    lab.paths[0]["path"] = "/cart/old"


def other_certificate(lab: Lab) -> None:
    lab.certificates["shop-tls"] = certificate("shop.example.com")


def expired(lab: Lab) -> None:
    lab.certificates["shop-tls"] = certificate(lab.params.host, until=0.5)


def misnamed_keys(lab: Lab) -> None:
    lab["Secret/shop-tls"].update(type="Opaque", data={"cert.pem": "redacted", "key.pem": "redacted"})


def no_tls(lab: Lab) -> None:
    lab["Ingress/shop"]["spec"].pop("tls")


def default_backend(lab: Lab) -> None:
    """What `kubectl create ingress --default-backend` makes."""
    spec = lab["Ingress/shop"]["spec"]
    spec["defaultBackend"] = {"service": {"name": "shop", "port": {"number": 80}}}
    spec.pop("rules")


def default_backend_beside_a_wrong_host(lab: Lab) -> None:
    """Traefik does not look at it where there are rules."""
    spec = lab["Ingress/shop"]["spec"]
    spec["defaultBackend"] = {"service": {"name": "shop", "port": {"number": 80}}}
    spec["rules"][0]["host"] = f"www.{lab.params.host}"


def external_ips(lab: Lab) -> None:
    service("shop-public", type="ClusterIP", externalIPs=["10.83.0.2"])(lab)


def cart_below_a_slash(lab: Lab) -> None:
    path_with_slash(lab)
    lab.drop("Service/cart")


def after_two_ingresses(change: Change) -> Change:
    """The same mistake where the cart has an Ingress of its own for the same host."""

    def both(lab: Lab) -> None:
        two_ingresses(lab)
        change(lab)

    return both


WRONG: list[tuple[Change, str, str]] = [
    (moved("Service/shop"), "service", "other-namespace"),
    (dropped("Service/shop"), "service", ""),
    (service("shop", selector={"app": "web"}), "service", "selector-matches-no-pod"),
    (service("shop", selector={"tier": "front"}), "service", "selector-too-wide"),
    (service("shop", selector={"app": "cart"}), "service", ""),
    (no_endpoints_ready, "service", ""),
    (service("shop", ports=[{"port": 8080, "targetPort": 80}]), "service", ""),
    (lambda lab: service("shop", ports=[{"port": int(lab.params.port), "targetPort": 80}])(lab), "service", "ports-swapped"),
    (service("shop", ports=[{"port": 80}]), "service", "target-port"),
    (service("shop", ports=[{"port": 80, "targetPort": 8080}]), "service", "target-port"),
    (service("shop", clusterIP="None", ports=[{"port": 80, "targetPort": 8080}]), "service", "target-port"),
    (service("shop-public", type="ClusterIP"), "public", "not-a-load-balancer"),
    (service("shop-public", type="NodePort"), "public", "not-a-load-balancer"),
    (lambda lab: service("shop-public", ports=[{"port": 80, "targetPort": int(lab.params.port)}])(lab), "public", "port-taken"),
    (lambda lab: service("shop-public", ports=[{"port": int(lab.params.port)}])(lab), "public", "public-port"),
    (service("shop-public", selector={"app": "web"}), "public", "selector-matches-no-pod"),
    (moved("Service/shop-public"), "public", ""),
    (moved("Ingress/shop"), "route", "ingress-namespace"),
    (dropped("Ingress/shop"), "route", ""),
    (class_named("nginx"), "route", "class-unknown"),
    (host("{namespace}.example"), "route", "host-differs"),
    (host(None), "route", "every-host"),
    (host("*.{namespace}.example"), "route", "every-host"),
    (default_backend, "route", "every-host"),
    (default_backend_beside_a_wrong_host, "route", "host-differs"),
    (after_two_ingresses(host("{namespace}.example")), "route", "host-differs"),
    (after_two_ingresses(moved("Ingress/shop")), "route", "ingress-namespace"),
    (after_two_ingresses(class_named("nginx")), "route", "class-unknown"),
    (backend(0, "shop", "{port}"), "route", "backend-port"),
    (backend(0, "web", "80"), "route", "backend-missing"),
    (without_class_and_service, "route", "backend-missing"),
    (cart_everywhere, "route", ""),
    (only_root, "paths", "no-path"),
    (exact, "paths", "path-exact"),
    (front_exact, "paths", "front-exact"),
    (backend(1, "shop", "80"), "paths", "path-to-shop"),
    (backend(1, "cart", "{cart_port}"), "paths", "backend-port"),
    (dropped("Service/cart"), "paths", "cart-service-missing"),
    (cart_below_a_slash, "paths", "cart-service-missing"),
    (service("cart", ports=[{"port": 80}]), "paths", ""),
    (no_tls, "tls", "no-tls-section"),
    (dropped("Secret/shop-tls"), "tls", "secret-namespace"),
    (moved("Secret/shop-tls"), "tls", "secret-namespace"),
    (misnamed_keys, "tls", "secret-keys"),
    (other_certificate, "tls", "certificate-name"),
    (expired, "tls", ""),
]


@each_wrong(WRONG)
def test_wrong_answers_fail_and_are_named(change: Change, task: str, diagnosis: str) -> None:
    lab = Lab()
    change(lab)
    assert_fails(lab, task, diagnosis)


def over_udp(lab: Lab) -> None:
    lab["Service/shop-public"]["spec"]["ports"][0]["protocol"] = "UDP"


def scaled_to_zero(name: str) -> Change:
    def change(lab: Lab) -> None:
        lab.cluster.find("Deployment", name)["spec"]["replicas"] = 0
        lab.cluster.find("Deployment", name)["status"] = {"observedGeneration": 1}
        lab.cluster.objects = [one for one in lab.cluster.objects if one["kind"] != "Pod" or not one["metadata"]["name"].startswith(name)]

    return change


def another_port_and_an_evicted_pod(lab: Lab) -> None:
    lab["Service/shop"]["spec"]["ports"][0]["port"] = 81
    ghost = copy.deepcopy(next(obj for obj in lab.cluster.objects if obj["kind"] == "Pod" and obj["metadata"]["name"].startswith("shop")))
    ghost["metadata"].update(name="shop-evicted", uid="uid-evicted")
    ghost["status"] = {"phase": "Failed", "reason": "Evicted"}
    lab.cluster.objects.append(ghost)


@pytest.mark.parametrize(
    ("change", "task"),
    [
        (expired, "tls"),
        (over_udp, "public"),
        (external_ips, "public"),
        (another_port_and_an_evicted_pod, "service"),
        (scaled_to_zero("shop"), "service"),
        (scaled_to_zero("shop"), "public"),
        (scaled_to_zero("cart"), "paths"),
    ],
)
def test_no_mistake_is_named_that_is_not_the_cause(change: Change, task: str) -> None:
    lab = Lab()
    change(lab)
    assert_fails_unexplained(lab, task, lab.cluster.checker.diagnoses)


def test_a_certificate_that_cannot_be_read_breaks_nothing() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "shop")])
    day = datetime.datetime(2026, 11, 25, tzinfo=datetime.UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, day, day + datetime.timedelta(days=9))
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("www.bakery.example")]), critical=False).sign(key, hashes.SHA256())
    good = made.public_bytes(serialization.Encoding.PEM)
    of_a_strange_kind = made.public_bytes(serialization.Encoding.DER).replace(b"\x82\x12www", b"\xa3\x12www")  # an X.400 address
    assert certificate_of(good.decode())["names"] == ["www.bakery.example"]
    assert certificate_of(ssl.DER_cert_to_PEM_cert(of_a_strange_kind))["names"] == []


def test_a_task_that_is_wrong_leaves_the_others_alone() -> None:
    lab = Lab()
    service("shop-public", type="ClusterIP")(lab)
    exact(lab)
    assert lab.passed() == ALL - {"public", "paths"}


def test_a_service_that_is_too_wide_is_not_called_a_path_that_is_too_narrow() -> None:
    lab = Lab()
    exact(lab)
    service("cart", selector={"tier": "front"})(lab)
    assert lab.verdicts()["paths"].diagnosis != "path-exact"


def test_a_slash_at_the_end_of_the_cart_s_path_is_named() -> None:
    """`kubectl create ingress --rule='HOST/cart/*=…'`: Traefik, unless told otherwise, compares letter by letter."""
    lab = Lab()
    path_with_slash(lab)
    assert lab.verdicts()["paths"].passed
    result = lab.cluster.probes["03.by-path"].result
    lab.cluster.probe("03.by-path", {**result, "/cart": result["/bread"]})
    assert lab.cluster.verdicts()["paths"].diagnosis == "path-slash"
    lab.cluster.probe("03.by-path", {**result, "/cart/7f3a": result["/bread"]})
    assert lab.cluster.verdicts()["paths"].diagnosis != "path-slash"


def test_what_the_learner_s_rules_are_for_is_said_as_it_is() -> None:
    lab = Lab()
    host("test.example")(lab)
    [other] = [obj for obj in objects(SOLUTION, lab.params) if obj["kind"] == "Ingress"]
    other["metadata"]["name"] = "api"
    [rule] = other["spec"]["rules"]
    rule["host"] = "api.example"
    rule["http"]["paths"][0]["path"] = "/v1"
    lab.objects.append(other)
    route = lab.verdicts()["route"]
    assert route.diagnosis == "host-differs"
    assert "test.example" in route.message
    assert "api.example" not in route.message


def test_an_ingress_of_another_namespace_is_named_before_other_hosts() -> None:
    lab = Lab()
    two_ingresses(lab)
    lab["Ingress/cart"]["spec"]["rules"][0]["host"] = "test.example"
    lab["Ingress/cart"]["spec"]["rules"][0]["http"]["paths"][0]["path"] = "/"
    moved("Ingress/shop")(lab)
    assert lab.verdicts()["route"].diagnosis == "ingress-namespace"


def test_paths_are_said_where_none_of_them_is_the_root() -> None:
    lab = Lab()
    lab.paths[:] = [{**lab.paths[0], "path": "/*"}]
    route = lab.verdicts()["route"]
    assert route.actual == f"rules for {lab.params.host}/*"


def test_a_certificate_without_its_key_is_not_called_one_for_another_name() -> None:
    """Traefik then shows its own; the learner's is for the right name."""
    lab = Lab()
    lab.certificates.clear()
    tls = lab.verdicts()["tls"]
    assert tls.diagnosis == "certificate-name"
    assert "key" in tls.message


def test_what_depends_on_the_route_waits_for_it() -> None:
    lab = Lab()
    class_named("nginx")(lab)
    verdicts = lab.verdicts()
    assert {name for name, one in verdicts.items() if one.verdict.value == "blocked"} == {"paths", "tls"}


def test_an_ingress_for_https_only_is_named() -> None:
    for name, value in (("entrypoints", "websecure"), ("tls", "true")):
        lab = Lab()
        lab["Ingress/shop"]["metadata"]["annotations"] = {f"traefik.ingress.kubernetes.io/router.{name}": value}
        lab.verdicts()
        lab.cluster.probe(
            "03.by-host",
            {"own": {"status": 404, "body": "404 page not found\n", "error": ""}, "other": {"status": 404, "body": "", "error": ""}},
        )
        assert lab.cluster.verdicts()["route"].diagnosis == "entry-points"
