"""Chapter 03 as people do it: answers found in public questions and issues (named beside them), on top of the solved lab."""

from __future__ import annotations

import copy

from tests.unit.checkers.kept_lab import GONE, Obj
from tests.unit.checkers.kept_services import Change, Services, answered, both, certificate, copied, dropped, field, path, renamed
from tests.unit.checkers.variant import Variant, each, one

SHOP, PUBLIC, CART = "Service/shop", "Service/shop-public", "Service/cart"
FRONT, BASKET = "Ingress/shop", "Ingress/cart"
ENTRY = "metadata/annotations/traefik.ingress.kubernetes.io~1router."
NOT_FOUND: Obj = {"status": 404, "body": "404 page not found\n"}


def over_tls_only(lab: Services) -> None:
    """Traefik then has no route on port 80 for these Ingresses: traefik/traefik issues about `router.tls` and 404."""
    for name in ("shop", "cart"):
        field(f"Ingress/{name}", f"{ENTRY}entrypoints", "websecure")(lab)
    answered("03.by-host", lambda result: result["own"].update(NOT_FOUND))(lab)


def with_router_tls(lab: Services) -> None:
    field(FRONT, f"{ENTRY}tls", "'true'")(lab)
    answered("03.by-host", lambda result: result["own"].update(NOT_FOUND))(lab)


def by_ingress_route(lab: Services) -> None:
    """Traefik's own kind answers, and there is no Ingress."""
    kept = copy.deepcopy(lab.document["probes"])
    lab.all("Ingress").remove(lab.find("Ingress", "shop"))
    lab.answered.append(lambda results: results.update({name: one["result"] for name, one in kept.items()}))


def endpoints_by_hand(lab: Services) -> None:
    """A Service without a selector, and an EndpointSlice with today's addresses: the next pod is not in it."""
    field(SHOP, "spec/selector", GONE)(lab)


def redirected(lab: Services) -> None:
    """A middleware sends everybody to https."""
    field(FRONT, f"{ENTRY}middlewares", "kube-system-redirect@kubernetescrd")(lab)
    answered("03.by-host", lambda result: result["own"].update({"status": 308, "body": "Permanent Redirect"}))(lab)


def prefix_stripped(lab: Services) -> None:
    """StripPrefix takes /cart away, and the cart answers below /cart only."""
    field(BASKET, f"{ENTRY}middlewares", "default-strip@kubernetescrd")(lab)
    gone: Obj = {"status": 404, "body": "web 1 on cart answers at /cart, not at /\n"}
    answered("03.by-path", lambda result: [result[one].update(gone) for one in ("/cart", "/cart/items")])(lab)


def external_ips(lab: Services) -> None:
    """The machine's address as an external IP: it answers, and is no LoadBalancer."""
    kept = copy.deepcopy(lab.document["probes"]["03.outside"]["result"])
    both(field(PUBLIC, "spec/type", "ClusterIP"), field(PUBLIC, "spec/externalIPs", "[10.83.0.2]"))(lab)
    answered("03.outside", lambda result: result.update(copy.deepcopy(kept)))(lab)


def one_name_in_cn(lab: Services) -> None:
    """openssl req without -addext: the name is the subject's alone."""
    lab.certificates["shop-tls"] = {**certificate(lab.params.host), "names": []}


def other_name_in_cn(lab: Services) -> None:
    lab.certificates["shop-tls"] = {**certificate("shop"), "names": []}


def right_subject_wrong_names(lab: Services) -> None:
    """The names are what counts where there are some, and the subject is not one of them."""
    lab.certificates["shop-tls"] = {**certificate(lab.params.host), "names": ["localhost"]}


def nginx_annotations(name: str) -> Change:
    """Copied from instructions for another controller: Traefik does not look at them."""
    return field(name, "metadata/annotations/nginx.ingress.kubernetes.io~1rewrite-target", "/")


def paths_from_long_to_short(lab: Services) -> None:
    cart = lab.find("Ingress", "cart")["spec"]["rules"][0]["http"]["paths"]
    front = lab.find("Ingress", "shop")["spec"]["rules"][0]["http"]["paths"]
    front[:] = [*cart, *front]
    lab.all("Ingress").remove(lab.find("Ingress", "cart"))


def exact_beside_prefix(lab: Services) -> None:
    """A path for /cart itself and one for what is below it."""
    [entry] = lab.find("Ingress", "cart")["spec"]["rules"][0]["http"]["paths"]
    lab.find("Ingress", "cart")["spec"]["rules"][0]["http"]["paths"] = [{**entry, "pathType": "Exact"}, {**entry, "path": "/cart/"}]


def only_exact(ingress: str, *paths: str) -> Change:
    """The paths that an explanation names, and no others."""

    def change(lab: Services) -> None:
        http = lab.find("Ingress", ingress)["spec"]["rules"][0]["http"]
        [entry] = http["paths"]
        http["paths"] = [{**entry, "path": path, "pathType": "Exact"} for path in paths]

    return change


def cart_of_another_namespace(lab: Services) -> None:
    """An ExternalName that leads to a Service of another namespace: Traefik does not follow it unless told to."""
    field(CART, "spec", "{type: ExternalName, externalName: cart.default.svc.cluster.local, ports: [{port: 80}]}")(lab)


def local_listener(address: str) -> Change:
    """A program that listens on the public port, for the machine itself."""
    return lambda lab: lab.document["nodes"]["server"]["ports"].append(
        {"port": int(lab.params.public), "address": address, "protocol": "tcp"}
    )


def by_expose(name: str) -> Change:
    """kubectl expose copies the Deployment's labels, and names no port."""
    return both(field(name, "metadata/labels", "{app: shop}"), field(name, "spec/ports/0/name", GONE))


def dual_stack(name: str) -> Change:
    return both(field(name, "spec/ipFamilyPolicy", "PreferDualStack"), field(name, "spec/ipFamilies", "[IPv4]"))


def managed(name: str) -> Change:
    return field(name, "metadata/annotations/meta.helm.sh~1release-name", "shop")


RIGHT: list[Variant] = [
    *[one("", f"by kubectl expose, {name}", by_expose(name)) for name in (SHOP, PUBLIC)],
    *[one("", f"both families preferred, {name}", dual_stack(name)) for name in (SHOP, PUBLIC)],
    *[one("", f"by Helm, {name}", managed(name)) for name in (SHOP, FRONT, BASKET)],
    *[one("", f"nginx's annotations, {name}", nginx_annotations(name)) for name in (FRONT, BASKET)],
    one("", "the longer path first", paths_from_long_to_short),
    one("", "Exact beside Prefix", exact_beside_prefix),
    one("", "the name in the subject only", one_name_in_cn),
    *each("", field, FRONT, f"{ENTRY}priority", values=["'10'"]),
    *each("", field, PUBLIC, "spec/loadBalancerIP", values=["10.83.0.2"]),
    *each("", field, "Secret/shop-tls", "metadata/annotations/cert-manager.io~1certificate-name", values=["shop"]),
    *[one("", f"kubectl port-forward at {address}", local_listener(address)) for address in ("127.0.0.1", "::1")],
    one("", "a Service of its own for the route", both(copied(SHOP, "shop-http"), path("shop", "backend/service/name", "shop-http"))),
    one("", "an Ingress for another host of the cart", copied(BASKET, "old", field("Ingress/old", "spec/rules/0/host", "cart.example"))),
]  # fmt: skip
WRONG: list[Variant] = [
    one("route", "over TLS only", over_tls_only),
    one("route", "with router.tls", with_router_tls),
    one("route", "by an IngressRoute", by_ingress_route),  # k3s-io/k3s#3379 and many more
    one("route", "everybody is sent to https", redirected),
    one("service", "endpoints by hand", endpoints_by_hand),
    one("paths", "the prefix is stripped", prefix_stripped),
    one("paths", "some paths of the cart", only_exact("cart", "/cart", "/cart/items")),
    one("paths", "some paths of the shop", only_exact("shop", "/", "/bread")),
    one("route", "every host of the domain beside", copied(FRONT, "wide", field("Ingress/wide", "spec/rules/0/host", "'*.{namespace}.example'"))),
    one("paths", "an ExternalName", cart_of_another_namespace),
    one("public", "external IPs", external_ips),
    one("tls", "a short name in the subject", other_name_in_cn),
    one("tls", "other names than the subject", right_subject_wrong_names),
    *each("tls", field, FRONT, "spec/tls", values=["[{hosts: ['{host}']}]"]),  # traefik/traefik#4280
    *each("service", field, SHOP, "spec/selector", values=["{app.kubernetes.io/name: shop}"]),  # k3s-io/k3s#5516
    one("public", "only renamed", renamed(PUBLIC, "shop-loadbalancer")),
    one("route", "the old way of backends", path("shop", "backend", "{service: {name: shop-service, port: {number: 80}}}")),
    one("paths", "the cart's Ingress is gone", dropped(BASKET)),
]  # fmt: skip
