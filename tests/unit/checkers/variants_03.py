"""Chapter 03 answered otherwise, on top of the solved lab: wrong in one field, and right in other words."""

from __future__ import annotations

import copy
from typing import Any

from tests.unit.checkers.kept_lab import GONE, Obj
from tests.unit.checkers.kept_services import (
    Change,
    Services,
    answered,
    both,
    copied,
    dropped,
    field,
    listening,
    moved,
    path,
    renamed,
    shown,
)
from tests.unit.checkers.variant import Variant, each, one

SHOP, PUBLIC, CART = "Service/shop", "Service/shop-public", "Service/cart"
FRONT, BASKET = "Ingress/shop", "Ingress/cart"
PORT, TARGET, SELECTOR = "spec/ports/0/port", "spec/ports/0/targetPort", "spec/selector"
HOST, TLS, CLASS = "spec/rules/0/host", "spec/tls", "spec/ingressClassName"
NO_POD = ["{app: shops}", "{app: Shop}", "{app: web}", "{name: shop}", "{app: shop, tier: back}", "{app: shop, track: stable}"]
ALL_PODS = "{tier: front}"


def by_chance(probe: str, kept: Obj) -> Change:
    """A Service that reaches others too is answered by the right pod, this time."""
    return answered(probe, lambda result: result.update(copy.deepcopy(kept)))


def lucky(lab: Services) -> Any:
    """All requests were answered as in the solved lab."""
    kept = copy.deepcopy(lab.document["probes"])
    lab.answered.append(lambda results: results.update({name: one["result"] for name, one in kept.items()}))


def two_protocols(first: str) -> Change:
    udp: Obj = {"name": "udp", "protocol": "UDP", "port": 80, "targetPort": 53}

    def change(lab: Services) -> None:
        ports = lab.find("Service", "shop")["spec"]["ports"]
        ports[0]["name"] = "tcp"
        ports.insert(0 if first == "udp" else 1, udp)

    return change


# Wrong ----------------------------------------------------------------------------------------------------------------------

SERVICE = [
    one("service", "no Service", dropped(SHOP)),
    *each("service", moved, SHOP, values=["default", "kube-system"]),
    *each("service", renamed, SHOP, values=["shops", "web", "shop-svc", "shop1"]),
    *each("service", field, SHOP, SELECTOR, values=[*NO_POD, GONE, "{}", "{app: cart}", ALL_PODS]),
    one("service", "too wide, and lucky", both(lucky, field(SHOP, SELECTOR, ALL_PODS), field(SHOP, TARGET, "http"))),
    *each("service", field, SHOP, PORT, values=["8080", "81", "{port}", "443", "{port+1}"]),
    *each("service", field, SHOP, TARGET, values=["80", "8080", "{port+1}", "{port-1}", "1", "{cart_port}", "web", "https"]),
    *each("service", field, SHOP, "spec/ports", values=["[{port: 80}]", "[{port: {port}, targetPort: 80}]", "[{port: 80, targetPort: {port}, protocol: UDP}]"]),
    *each("service", field, SHOP, "spec/clusterIP", values=["None"]),
    one("service", "one pod is left out", field(SHOP, SELECTOR, "{app: shop, pod: first}")),
    one("service", "being deleted", field(SHOP, "metadata/deletionTimestamp", "'2026-11-25T05:01:00Z'")),
    *each("service", lambda text: answered("03.inside", lambda result: result.update(body=text)), values=["", "Welcome to nginx!", "Come in"]),
    *each("service", lambda status: answered("03.inside", lambda result: result.update(status=status)), values=[0, 301, 404, 500, 503]),
]  # fmt: skip
PUBLIC_WRONG = [
    one("public", "no Service", dropped(PUBLIC)),
    *each("public", moved, PUBLIC, values=["default", "kube-system"]),
    *each("public", renamed, PUBLIC, values=["shop-publik", "public", "shop-lb", "shoppublic"]),
    *each("public", field, PUBLIC, "spec/type", values=["ClusterIP", "NodePort", GONE]),
    *each("public", field, PUBLIC, PORT, values=["80", "443", "8080", "{public+1}", "{public-1}", "{port}"]),
    *each("public", field, PUBLIC, TARGET, values=["80", "{public}", "{port+1}", "{cart_port}", "web"]),
    *each("public", field, PUBLIC, SELECTOR, values=[*NO_POD, "{app: cart}", ALL_PODS]),
    one("public", "too wide, and lucky", both(lucky, field(PUBLIC, SELECTOR, ALL_PODS), field(PUBLIC, TARGET, "http"))),
    *each("public", field, PUBLIC, "spec/loadBalancerClass", values=["example.org/none"]),
    *each("public", field, PUBLIC, "spec/ports/0/protocol", values=["UDP"]),
    *each("public", listening, values=["{public}"]),
    *each("public", lambda text: answered("03.outside", lambda result: result.update(body=text)), values=["Come in\n", "Come in\npod: nginx-1\n", "<h1>Come in</h1>"]),
    *each("public", lambda status: answered("03.outside", lambda result: result.update(status=status)), values=[302, 404, 502]),
]  # fmt: skip
ROUTE = [
    one("route", "no Ingress", dropped(FRONT)),
    *each("route", moved, FRONT, values=["default", "kube-system"]),
    *each("route", field, FRONT, HOST, values=[
        GONE, "{namespace}.example", "www.{host}", "{name}.{namespace}.exampel", "{name}.{namespace}", "{host}.local", "localhost", "'*.{namespace}.example'",
        "shop.example", "{namespace}.{name}.example",
    ]),
    *each("route", field, FRONT, CLASS, values=["nginx", "Traefik", "traefic", "trafik"]),
    *each("route", path, "shop", "backend/service/name", values=["web", "shops", "cart", "shop-svc"]),
    *each("route", path, "shop", "backend/service/port", values=["{number: 8080}", "{number: {port}}", "{name: http}", "{number: 443}", "{number: {public}}"]),
    *each("route", path, "shop", "path", values=["/shop", "/index.html", "/cart/old"]),
    one("route", "every host beside", copied(FRONT, "every", field("Ingress/every", HOST, GONE))),
    one("route", "a wide Service behind, and lucky", both(
        lucky, copied(SHOP, "wide", field("Service/wide", SELECTOR, ALL_PODS)), path("shop", "backend/service/name", "wide"))),
    *each("route", listening, values=[80]),
    *each("route", lambda text: answered("03.by-host", lambda result: result["own"].update(body=text)), values=["Come in\n", "Come in\npod: nginx-1\n", ""]),
    *each("route", lambda status: answered("03.by-host", lambda result: result["own"].update(status=status)), values=[301, 302, 307, 308, 403, 404, 503]),
    *each("route", lambda status: answered("03.by-host", lambda result: result["other"].update(status=status)), values=[0, 200, 301, 503]),
]  # fmt: skip
PATHS = [
    one("paths", "no path", dropped(BASKET)),
    *each("route", path, "cart", "path", values=["/"]),  # both lead / somewhere: which one answers is chance
    *each("paths", path, "cart", "path", values=["/carts", "/Cart", "/cart/items", "/shop/cart", "/basket"]),
    *each("paths", path, "cart", "pathType", values=["Exact"]),
    *each("paths", path, "shop", "pathType", values=["Exact"]),
    *each("paths", path, "cart", "backend/service/name", values=["shop", "carts", "basket", "shop-public"]),
    *each("paths", path, "cart", "backend/service/port", values=["{number: {cart_port}}", "{number: 8080}", "{name: http}"]),
    *each("paths", field, BASKET, HOST, values=["{namespace}.example", "cart.{host}", "www.{host}"]),
    *each("paths", field, BASKET, CLASS, values=["nginx"]),
    *each("paths", moved, BASKET, values=["default"]),
    one("paths", "no Service", dropped(CART)),
    *each("paths", moved, CART, values=["default"]),
    *each("paths", field, CART, SELECTOR, values=["{app: carts}", "{app: shop}", "{app: cart, tier: back}", GONE]),
    *each("paths", field, CART, TARGET, values=["80", "8080", "{port}", "{cart_port+1}", "web"]),
    *each("paths", field, CART, PORT, values=["8080", "{cart_port}"]),
    one("paths", "too wide, and lucky", both(lucky, field(CART, SELECTOR, ALL_PODS), field(CART, TARGET, "http"))),
    *[one("paths", f"{asked} is answered {status}", answered("03.by-path", lambda result, asked=asked, status=status: result[asked].update(status=status)))
      for asked in ("/cart", "/cart/items", "/bread") for status in (301, 404, 502)],
    one("paths", "the cart greets everywhere", answered("03.by-path", lambda result: result.update({"/bread": result["/cart"]}))),
]  # fmt: skip
TLS_WRONG = [
    *each("tls", field, FRONT, TLS, values=[GONE, "[]"]),
    *each("tls", field, FRONT, f"{TLS}/0/secretName", values=["shop-tsl", "shop", "tls", "shop-cert"]),
    one("tls", "no Secret", dropped("Secret/shop-tls")),
    *each("tls", moved, "Secret/shop-tls", values=["default", "kube-system"]),
    *each("tls", renamed, "Secret/shop-tls", values=["shop-cert"]),
    *each("tls", field, "Secret/shop-tls", "data", values=["{}", "{cert.pem: x, key.pem: x}", "{tls.crt: x}", "{tls.key: x}", "{tls.cert: x, tls.key: x}"]),
    *each("tls", shown, values=["{namespace}.example", "shop.example", "www.{host}", "*.{host}", "*.example", "{name}.{namespace}.exampel", "localhost"]),
    one("tls", "expired", shown("{host}", until=1)),
    one("tls", "not valid yet", shown("{host}", since=8e9)),
    *each("tls", listening, values=[443]),
    *each("tls", lambda status: answered("03.secure", lambda result: result.update(status=status)), values=[0, 301, 404, 503]),
    one("tls", "another body", answered("03.secure", lambda result: result.update(body="Welcome to nginx!"))),
]  # fmt: skip
WRONG: list[Variant] = [*SERVICE, *PUBLIC_WRONG, *ROUTE, *PATHS, *TLS_WRONG]


# Right in other words -------------------------------------------------------------------------------------------------------


def one_ingress(lab: Services) -> None:
    rule = lab.find("Ingress", "cart")["spec"]["rules"][0]
    lab.find("Ingress", "shop")["spec"]["rules"][0]["http"]["paths"] += rule["http"]["paths"]
    lab.all("Ingress").remove(lab.find("Ingress", "cart"))


def two_rules(lab: Services) -> None:
    lab.find("Ingress", "shop")["spec"]["rules"] += lab.find("Ingress", "cart")["spec"]["rules"]
    lab.all("Ingress").remove(lab.find("Ingress", "cart"))


def class_annotation(name: str) -> Change:
    return both(field(name, CLASS, GONE), field(name, "metadata/annotations/kubernetes.io~1ingress.class", "traefik"))


def certificate_elsewhere(lab: Services) -> None:
    """The section stands in the cart's Ingress."""
    lab.find("Ingress", "cart")["spec"]["tls"] = lab.find("Ingress", "shop")["spec"].pop("tls")


def second_host(lab: Services) -> None:
    """A host of their own, whose Secret does not exist yet."""
    front = lab.find("Ingress", "shop")["spec"]
    front["rules"].append({**copy.deepcopy(front["rules"][0]), "host": "test.example"})
    front["tls"].append({"hosts": ["test.example"], "secretName": "not-there"})


def scaled(count: int) -> Change:
    """Fewer or more pods of the shop."""

    def change(lab: Services) -> None:
        pods = [pod for pod in lab.all("Pod") if pod["metadata"]["name"].startswith("shop-")]
        for pod in pods[count:]:
            lab.all("Pod").remove(pod)
        for place in range(len(pods), count):
            more = copy.deepcopy(pods[0])
            more["metadata"].update(name=f"shop-more-{place}", uid=f"uid-more-{place}")
            more["status"]["podIP"] = f"10.42.0.{100 + place}"
            lab.all("Pod").append(more)
        for kind in ("Deployment", "ReplicaSet"):
            for obj in lab.all(kind):
                if obj["metadata"]["name"].startswith("shop"):
                    obj["spec"]["replicas"] = count
                    obj["status"].update(replicas=count, updatedReplicas=count, readyReplicas=count, availableReplicas=count)

    return change


def evicted(lab: Services) -> None:
    ghost = copy.deepcopy(next(pod for pod in lab.all("Pod") if pod["metadata"]["name"].startswith("shop-")))
    ghost["metadata"].update(name="shop-evicted", uid="uid-evicted", labels={})
    ghost["status"] = {"phase": "Failed", "reason": "Evicted"}
    lab.all("Pod").append(ghost)


WITH_NAMES = "[{name: http, port: 80, targetPort: {port}}, {name: direct, port: {port}, targetPort: {port}}]"
RIGHT: list[Variant] = [
    one("", "as it was solved", lambda lab: None),
    *[variant for name in (SHOP, PUBLIC) for variant in (
        *each("", field, name, TARGET, values=["http"]),
        *each("", field, name, SELECTOR, values=["{app: shop, tier: front}"]),
        *each("", field, name, "spec/sessionAffinity", values=["ClientIP"]),
        *each("", field, name, "spec/internalTrafficPolicy", values=["Local"]),
        *each("", field, name, "spec/publishNotReadyAddresses", values=["true"]),
        *each("", field, name, "spec/ports/0/name", values=["http", "web"]),
        *each("", field, name, "spec/ports/0/appProtocol", values=["http"]),
        *each("", field, name, "metadata/labels", values=["{app: shop, team: a}"]),
    )],
    *each("", field, SHOP, "spec/type", values=["NodePort", "LoadBalancer"]),
    *each("", field, SHOP, "spec/ports", values=[WITH_NAMES, "[{name: other, port: 9090, targetPort: 9}, {name: http, port: 80, targetPort: {port}}]"]),
    *each("", two_protocols, values=["tcp", "udp"]),
    *each("", field, PUBLIC, "spec/externalTrafficPolicy", values=["Local"]),
    *each("", field, PUBLIC, "spec/allocateLoadBalancerNodePorts", values=["false"]),
    *each("", field, PUBLIC, "spec/ports", values=["[{name: a, port: {public}, targetPort: {port}}, {name: b, port: 9999, targetPort: {port}}]"]),
    *each("", path, "shop", "backend/service", values=["{name: shop-public, port: {number: {public}}}"]),
    one("", "the backend by its port's name", both(field(SHOP, "spec/ports", WITH_NAMES), path("shop", "backend/service/port", "{name: http}"))),
    one("", "the backend by another port", both(field(SHOP, "spec/ports", WITH_NAMES), path("shop", "backend/service/port", "{number: {port}}"))),
    one("", "a Service more", both(copied(SHOP, "front"), path("shop", "backend/service/name", "front"))),
    *[variant for name in ("shop", "cart") for variant in each("", path, name, "pathType", values=["ImplementationSpecific"])],
    *each("", path, "cart", "path", values=["/cart/"]),
    *each("", path, "shop", "path", values=[GONE, "''"]),
    *[one("", f"class by annotation, {name}", class_annotation(name)) for name in (FRONT, BASKET)],
    *[variant for name in (FRONT, BASKET) for variant in each("", field, name, CLASS, values=[GONE])],
    *[variant for name in (FRONT, BASKET) for variant in (
        *each("", renamed, name, values=["front-door", "web"]),
        *each("", field, name, "metadata/annotations/note", values=["mine"]),
        *each("", field, name, "metadata/annotations/traefik.ingress.kubernetes.io~1router.entrypoints", values=["web,websecure"]),
    )],
    one("", "one Ingress", one_ingress),
    one("", "one Ingress, two rules", two_rules),
    one("", "the cart's Service under another name", both(renamed(CART, "basket"), path("cart", "backend/service/name", "basket"))),
    one("", "the cart's Service on another port", both(field(CART, PORT, "8080"), path("cart", "backend/service/port", "{number: 8080}"))),
    *each("", field, CART, TARGET, values=["http"]),
    *each("", field, CART, "spec/type", values=["NodePort"]),
    *each("", field, CART, SELECTOR, values=["{app: cart, tier: front}"]),
    one("", "another host beside", copied(FRONT, "test", field("Ingress/test", HOST, "test.example"), field("Ingress/test", TLS, GONE))),
    one("", "the certificate with the cart", certificate_elsewhere),
    one("", "a second host without its Secret", second_host),
    *each("", field, FRONT, f"{TLS}/0/hosts", values=[GONE, "[{host}, www.{host}]"]),
    one("", "the Secret under another name", both(
        renamed("Secret/shop-tls", "cert"), field(FRONT, f"{TLS}/0/secretName", "cert"), lambda lab: lab.certificates.update(cert=lab.certificates["shop-tls"]))),
    *each("", field, "Secret/shop-tls", "type", values=["Opaque"]),
    *each("", field, "Secret/shop-tls", "data", values=["{tls.crt: x, tls.key: x, ca.crt: x}"]),
    *each("", shown, values=["*.{namespace}.example"]),
    one("", "a certificate of several names", shown("shop.example", "{host}", "www.{host}")),
    *each("", scaled, values=[1, 2, 5]),
    one("", "an evicted pod", evicted),
    *each("", listening, values=[22, 8443, "{public+1}"]),
    one("", "a Service of their own", copied(SHOP, "try", field("Service/try", SELECTOR, "{app: nobody}"))),
]  # fmt: skip
