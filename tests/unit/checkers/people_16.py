"""Chapter 16 as people do it: repairs found in public questions and issues (named beside them), on top of the mended site."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from courselab.grade.evidence import FileState
from tests.unit.checkers.kept_lab import GONE, put
from tests.unit.checkers.site_16 import EVENING, HTTPS, TELNET, Site

Change = Callable[[Site], Any]


def field(name: str, pointer: str, value: str) -> Change:
    """A field of one object, named as "Service/cart"."""
    kind, _, called = name.partition("/")
    return lambda site: put(site.find(kind, site.params.fill(called)), pointer, site.value(value))


def pods(app: str, pointer: str, value: Any) -> Change:
    """A field of an application's pods, as its Deployment has it."""
    return lambda site: site.pods_have(app, pointer, site.value(value) if isinstance(value, str) else value)


def both(*changes: Change) -> Change:
    """Several changes."""
    return lambda site: [change(site) for change in changes]


def down(app: str, *changes: Change) -> Change:
    """Changes with which a page does not open."""
    return both(lambda site: site.down(app), *changes)


def gone(app: str) -> Change:
    """No route leads to a page."""
    return lambda site: site.answers(app, 404, "404 page not found\n")


def without(*names: str) -> Change:
    """Objects are gone."""
    return lambda site: site.remove(*names)


def added(api: str, kind: str, name: str, content: str = "{}", namespace: str | None = None) -> Change:
    """One more object."""
    return lambda site: site.add(api, kind, name, site.params.fill(namespace) if namespace else namespace, **site.value(content))


def custom(data: dict[str, str]) -> Change:
    """What coredns-custom says."""
    return lambda site: site.add(
        "v1", "ConfigMap", "coredns-custom", "kube-system", data={key: site.params.fill(value) for key, value in data.items()}
    )


def names(code: str = "0", **addresses: str) -> Change:
    """What the name server answers."""
    return lambda site: site.resolves(code, **addresses)


def dana(error: str = "", *, insecure: bool = False) -> Change:
    """What Dana sees."""
    return lambda site: site.dana_sees(error, insecure=insecure)


def wall(loaded: list[str], saved: list[str]) -> Change:
    """The firewall, now and after the next start."""
    return lambda site: site.firewall(loaded=loaded, saved=saved)


def secret(**data: str) -> Change:
    """What the Secret holds; {password} is the renewed one."""
    return lambda site: site.holds(**{key.replace("_", "-"): site.params.fill(value) for key, value in data.items()})


def no_pod_of(app: str) -> Change:
    """An application has no pod, and its Service none to lead to."""

    def change(site: Site) -> None:
        site.on.objects = [one for one in site.on.objects if one not in site.pods(app)]
        for kind, name in (("Deployment", app), ("ReplicaSet", f"{app}-1abc")):
            site.find(kind, name)["status"].update(replicas=0, updatedReplicas=0, readyReplicas=0, availableReplicas=0)
        site.find("EndpointSlice", f"{app}-abc")["endpoints"] = []
        site.down(app)

    return change


def kept_alone(app: str) -> Change:
    """The pod that answers has another label than its Deployment looks for, so nobody owns it any more (kubernetes: "orphaned pods")."""

    def change(site: Site) -> None:
        for pod in site.pods(app):
            pod["metadata"].update(ownerReferences=[], labels={"app": "basket"})

    return change


def one_alone_beside(site: Site) -> None:
    """A pod of somebody's own behind the Service, beside the Deployment's."""
    pod = site.on.bare_pod(
        "cart-mine", {"spec": {"containers": [{"name": "web", "image": "course/web:1"}]}}, namespace=site.params.namespace
    )
    pod["metadata"]["labels"], pod["status"]["podIP"] = {"app": "cart"}, "10.42.0.99"
    ends = {"addresses": ["10.42.0.99"], "conditions": {"ready": True}, "targetRef": {"kind": "Pod", "name": "cart-mine"}}
    site.find("EndpointSlice", "cart-abc")["endpoints"].append(ends)


def other_claim(site: Site) -> None:
    site.find("PersistentVolumeClaim", "guestbook")["metadata"]["name"] = "guestbook-2"
    site.pods_have("guestbook", "volumes/0/persistentVolumeClaim/claimName", "guestbook-2")


def pod_of_debugging(site: Site) -> None:
    """`kubectl debug node/server` leaves a pod on the machine's own network."""
    template = {"spec": {"hostNetwork": True, "containers": [{"name": "debugger", "image": "course/tools:1"}]}}
    site.on.bare_pod("node-debugger-server-x7k2p", template, namespace=site.params.namespace)


def a_set_in_place(site: Site) -> None:
    """Another Service and Deployment behind the path, both with names of their own."""
    for one in (site.find("Deployment", "cart"), site.find("Service", "cart")):
        one["metadata"]["name"] = "basket"
    slice_ = site.find("EndpointSlice", "cart-abc")
    slice_["metadata"]["labels"]["kubernetes.io/service-name"] = "basket"
    paths = site.find("Ingress", "site")["spec"]["rules"][0]["http"]["paths"]
    next(path for path in paths if path["path"] == "/cart")["backend"]["service"]["name"] = "basket"
    site.resolves()


def account_in_place(site: Site) -> None:
    """The account's Deployment made anew under another name."""
    site.find("Deployment", "account")["metadata"]["name"] = "customers"


def written_down(site: Site) -> None:
    """No selector, and the pod's address in an EndpointSlice made by hand."""
    put(site.find("Service", "cart"), "spec/selector", GONE)
    for end in site.find("EndpointSlice", "cart-abc")["endpoints"]:
        del end["targetRef"]


def not_mounted(site: Site) -> None:
    """CoreDNS without the volume of coredns-custom."""
    labels = {"k8s-app": "kube-dns"}
    pod = {"containers": [{"name": "coredns", "image": "coredns"}], "volumes": [{"name": "own", "configMap": {"name": "coredns"}}]}
    spec = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}}
    site.on.run({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "coredns", "namespace": "kube-system"}, "spec": spec})


POLICY = "networking.k8s.io/v1", "NetworkPolicy"
QUOTA = "v1", "ResourceQuota"
TEMPLATE = "template ANY ANY {namespace}.svc.cluster.local {\n  rcode NXDOMAIN\n}"
RAW = "chain early { # handle 1"
LETS_IN = ("chain INPUT {", "tcp dport 443 counter packets 0 bytes 0 accept", RAW)
IN_THE_SET = "tcp dport { 23, 2323 } drop"
DATABASE_KEY = "containers/0/env/2"

RIGHT: dict[str, Change] = {
    "a newer version of the shop": pods("shop", "containers/0/image", "course/web:2"),
    "the image with its registry": pods("shop", "containers/0/image", "docker.io/course/web:1"),
    "an image of one's own name": pods("shop", "containers/0/image", "ghcr.io/somebody/shop:latest"),  # the page is what counts
    "a pod for looking around": lambda site: site.on.bare_pod("tools", {"spec": {"containers": [{"name": "t", "image": "course/tools:1"}]}}, namespace=site.params.namespace),
    "a pod of kubectl debug node": pod_of_debugging,
    "a taint that only prefers": field("Node/server", "spec/taints", "[{key: maintenance, value: tonight, effect: PreferNoSchedule}]"),
    "a taint of Kubernetes's own, for a moment": field("Node/server", "spec/taints", "[{key: node.kubernetes.io/disk-pressure, effect: NoSchedule}]"),
    "the node was deleted and has joined again": field("Node/server", "metadata/uid", "another"),
    "tolerations stay": pods("offers", "tolerations", "[{key: maintenance, operator: Exists}]"),
    "another selector": both(field("Service/cart", "spec/selector", "{part: basket}"), lambda site: [pod["metadata"]["labels"].update(part="basket") for pod in site.pods("cart")]),
    "a pod of one's own beside the Deployment's": one_alone_beside,
    "all of it under another name": a_set_in_place,
    "the budget raised a lot": field("ResourceQuota/budget", "spec/hard", "{requests.memory: 1Gi}"),
    "the budget under another name": field("ResourceQuota/budget", "metadata/name", "more"),
    "a budget for limits": field("ResourceQuota/budget", "spec/hard", "{limits.memory: 64Mi, pods: '4'}"),
    "a budget in the short form": field("ResourceQuota/budget", "spec/hard", "{memory: 64Mi}"),
    "the pod asks for less": both(field("ResourceQuota/budget", "spec/hard", "{requests.memory: 8Mi}"), pods("orders", "containers/0/resources/requests", "{memory: 8Mi}")),
    "only the key that was asked for": secret(database_key="{password}"),
    "the reference follows the key": both(secret(databasekey="{password}"), pods("account", f"{DATABASE_KEY}/valueFrom/secretKeyRef/key", "databasekey")),
    "the whole Secret": both(
        lambda site: site.holds(DATABASE_KEY=site.params.password),
        pods("account", f"{DATABASE_KEY}/valueFrom", GONE), pods("account", "containers/0/envFrom", "[{secretRef: {name: account}}]")),
    "the Deployment under another name": account_in_place,
    "no class, the default one takes it": field("Ingress/press", "spec", "{rules: [{host: '{host}', http: {paths: [{path: /press, backend: {service: {name: press, port: {number: 80}}}}]}}]}"),
    "the old annotation": both(field("Ingress/press", "spec/ingressClassName", "null"), field("Ingress/press", "metadata/annotations", "{kubernetes.io/ingress.class: traefik}")),
    "one Ingress for all": without("Ingress/press"),  # the probe says that the page opens
    "a class of that name, looked after by Traefik": both(field("Ingress/press", "spec/ingressClassName", "nginx"), added("networking.k8s.io/v1", "IngressClass", "nginx", namespace="")),
    "a certificate beside it": field("Ingress/press", "spec/tls", "[{hosts: ['{host}']}]"),
    "another claim": other_claim,
    "a class called fast": both(field("PersistentVolumeClaim/guestbook", "spec/storageClassName", "fast"), added("storage.k8s.io/v1", "StorageClass", "fast", namespace="")),
    "a volume made by hand": field("PersistentVolumeClaim/guestbook", "spec/storageClassName", "fast"),  # bound, though nobody makes that class
    "a folder of the machine": pods("guestbook", "volumes", "[{name: pages, hostPath: {path: /srv/guestbook}}]"),
    "a claim beside another volume": lambda site: [spec["volumes"].append({"name": "tmp", "emptyDir": {}}) for spec in site.specs("guestbook")],
    "coredns-custom is empty": custom({}),
    "coredns-custom says something else": custom({"home.override": "hosts {\n  192.0.2.7 nas.home\n  fallthrough\n}"}),
    "the file is kept under a name that is not read": custom({"old-zone.off": TEMPLATE}),
    "the lines are commented out": custom({"old-zone.override": "# " + TEMPLATE.replace("\n", "\n# ")}),
    "only one old name is denied": custom({"old-zone.override": TEMPLATE.replace("{\n", "{\n  match ^gone\\.\n")}),
    "both addresses of a Service": lambda site: site.on.probes["16.names"].result["answers"][f"shop.{site.params.namespace}.svc.cluster.local"].append("2001:db8::7"),
    "a headless Service beside them": added("v1", "Service", "peers", "{spec: {clusterIP: None, selector: {app: shop}}}"),
    "more rules": wall([TELNET, "tcp dport 8443 drop", "tcp dport 22 ct state new limit rate over 5/second drop"], [TELNET]),
    "telnet in a set": wall([IN_THE_SET], [IN_THE_SET]),
    "https is let in by a rule before the other": wall([TELNET, "tcp dport 443 accept", HTTPS], [TELNET, "tcp dport { 80, 443 } accept", HTTPS]),
    "let in by a chain that comes later, too": wall([RAW, TELNET, "chain input {", "tcp dport { 23, 443 } accept"], [TELNET]),
    "telnet is refused instead of dropped": wall(["tcp dport 23 reject"], ["tcp dport 23 reject"]),
    "a policy of one's own": added(*POLICY, "mine", "{spec: {podSelector: {}}}"),
    "the policy was made again": field("NetworkPolicy/keep-out", "metadata/uid", "another"),
    "the policy is stricter": field("NetworkPolicy/keep-out", "spec", "{podSelector: {matchLabels: {vault: 'true'}}, policyTypes: [Ingress, Egress]}"),
    "the evening's notes are gone": lambda site: site.on.files.update({EVENING: FileState(exists=False)}),
}  # fmt: skip

# The name of the repair → the ticket that stays open, what the check calls it, and the change.
WRONG: dict[str, tuple[str, str, Change]] = {
    "uncordoned, and tainted": ("node", "still-tainted", down("offers", field("Node/server", "spec/taints", "[{key: maintenance, value: tonight, effect: NoSchedule}]"))),
    "untainted, and cordoned": ("node", "still-cordoned", down("offers", field("Node/server", "spec/unschedulable", "true"))),
    "placed by hand with nodeName": ("node", "still-cordoned", field("Node/server", "spec/unschedulable", "true")),
    "one pod tolerates the taint": ("node", "still-tainted", both(field("Node/server", "spec/taints", "[{key: maintenance, effect: NoSchedule}]"), pods("offers", "tolerations", "[{operator: Exists}]"))),
    "the taint under another key": ("node", "still-tainted", field("Node/server", "spec/taints", "[{key: maintenance-done, effect: NoExecute}]")),
    "a tag that is not there": ("image", "", down("shop", pods("shop", "containers/0/image", "course/web:latest"))),
    "another application's page": ("image", "", lambda site: site.answers("shop", 200, f"Press of the {site.params.namespace}\n")),
    "an image with nothing in it": ("image", "", lambda site: site.answers("shop", 200, "Welcome to nginx!\n")),
    "a pod name as selector": ("selector", "selector-matches-no-pod", down("cart", field("Service/cart", "spec/selector", "{app: cart-0xyz}"))),
    "one label more than the pods have": ("selector", "selector-matches-no-pod", down("cart", field("Service/cart", "spec/selector", "{app: cart, tier: shop}"))),
    "the case of the label": ("selector", "selector-matches-no-pod", down("cart", field("Service/cart", "spec/selector", "{app: Cart}"))),
    "the pod was relabelled, and its Deployment lost it": ("selector", "lone-pod", kept_alone("cart")),
    "the target port of another": ("selector", "", down("cart", field("Service/cart", "spec/ports", "[{port: 80, targetPort: 80}]"))),
    "the pod's address by hand": ("selector", "address-by-hand", written_down),
    "no selector at all": ("selector", "", down("cart", field("Service/cart", "spec/selector", "null"))),
    "the quota is deleted": ("quota", "budget-deleted", without("ResourceQuota/budget")),
    "a quota for pods only": ("quota", "budget-deleted", field("ResourceQuota/budget", "spec/hard", "{pods: '10'}")),
    "a bit more, and not enough": ("quota", "", both(no_pod_of("orders"), field("ResourceQuota/budget", "spec/hard", "{requests.memory: 12Mi}"))),
    "megabytes as millibytes": ("quota", "", both(no_pod_of("orders"), field("ResourceQuota/budget", "spec/hard", "{requests.memory: 64m}"))),
    "deleted, and made again as it was": ("quota", "budget-too-small", field("ResourceQuota/budget", "spec/hard", "{requests.memory: 8Mi}")),
    "no request at all": ("quota", "", both(no_pod_of("orders"), pods("orders", "containers/0/resources", "{}"))),
    "an underscore": ("key", "key-missing", down("account", secret(databasekey="{password}"), pods("account", f"{DATABASE_KEY}/valueFrom/secretKeyRef/key", "database_key"))),
    "no Secret any more": ("key", "key-missing", down("account", without("Secret/account"))),
    "a Secret of another name": ("key", "key-missing", down("account", pods("account", f"{DATABASE_KEY}/valueFrom/secretKeyRef/name", "accounts"))),
    "a copy in a Secret of its own": ("key", "copied", both(
        lambda site: site.add("v1", "Secret", "database", data={**site.find("Secret", "account")["data"]}),
        pods("account", f"{DATABASE_KEY}/valueFrom/secretKeyRef", "{name: database, key: database-key}"))),
    "a copy that is left, and not used": ("key", "copied", lambda site: site.add("v1", "Secret", "database", data={**site.find("Secret", "account")["data"]})),
    "invented first, and the pod was not made anew": ("key", "not-made-anew", lambda site: site.on.probes["16.account"].result.update(outdated=True)),
    "an invented password": ("key", "other-password", secret(database_key="letmein", databasekey="{password}")),
    "the password and a newline": ("key", "other-password", secret(database_key="{password}\n", databasekey="{password}")),  # echo, without -n
    "the password in the Deployment": ("key", "in-the-deployment", pods("account", DATABASE_KEY, "{name: DATABASE_KEY, value: letmein}")),
    "optional, and without it": ("key", "key-missing", down("account", secret(databasekey="{password}"), pods("account", f"{DATABASE_KEY}/valueFrom/secretKeyRef", "{name: account, key: database-key, optional: true}"))),
    "without the variable": ("key", "", both(pods("account", "containers/0/env", "[{name: WEB_PATH, value: /account}]"))),
    "a typing error in the class": ("door", "class-unknown", both(gone("press"), field("Ingress/press", "spec/ingressClassName", "treafik"))),
    "the controller's name as class": ("door", "class-unknown", both(gone("press"), field("Ingress/press", "spec/ingressClassName", "traefik.io/ingress-controller"))),
    "another host": ("door", "", both(gone("press"), field("Ingress/press", "spec/rules/0/host", "press.example"))),
    "the Ingress in the back office": ("door", "", both(gone("press"), field("Ingress/press", "metadata/namespace", "{back}"))),
    "a class without a controller of its own": ("door", "", both(gone("press"), field("Ingress/press", "spec/ingressClassName", "nginx"), added("networking.k8s.io/v1", "IngressClass", "nginx", "{spec: {controller: k8s.io/ingress-nginx}}", ""))),
    "an empty class": ("storage", "no-such-class", down("guestbook", field("PersistentVolumeClaim/guestbook", "spec/storageClassName", "''"), field("PersistentVolumeClaim/guestbook", "status/phase", "Pending"))),
    "the class of another cloud": ("storage", "no-such-class", down("guestbook", field("PersistentVolumeClaim/guestbook", "spec/storageClassName", "standard"), field("PersistentVolumeClaim/guestbook", "status/phase", "Pending"))),
    "the claim is deleted": ("storage", "claim-missing", down("guestbook", without("PersistentVolumeClaim/guestbook"))),
    "an emptyDir": ("storage", "kept-nowhere", pods("guestbook", "volumes", "[{name: pages, emptyDir: {}}]")),
    "no volume": ("storage", "kept-nowhere", both(pods("guestbook", "volumes", GONE), pods("guestbook", "containers/0/volumeMounts", GONE))),
    "the claim is there, and not mounted": ("storage", "kept-nowhere", pods("guestbook", "containers/0/volumeMounts", "[]")),
    "a volume that ends with the pod": ("storage", "kept-nowhere", pods("guestbook", "volumes", "[{name: pages, ephemeral: {volumeClaimTemplate: {}}}]")),
    "another kind of question denied": ("names", "zone-remains", both(custom({"old-zone.override": TEMPLATE.replace("ANY ANY", "IN A")}), names("3"))),
    "the file renamed, and still read": ("names", "zone-remains", both(custom({"zone.override": TEMPLATE}), names("3"))),
    "mended and not read yet": ("names", "not-read", names("3")),  # Azure/AKS#2689
    "only one name by hand": ("names", "", names(cart="192.0.2.9")),
    "the address of a Service that was made anew": ("names", "", names(shop="10.43.9.9")),
    "the Corefile without its import": ("names", "corefile-edited", both(custom({"old-zone.override": TEMPLATE}), field("ConfigMap/coredns", "data", "{Corefile: '.:53 { kubernetes cluster.local }'}"))),  # k3s-io/k3s#13210
    "the import commented out": ("names", "corefile-edited", both(custom({"old-zone.override": TEMPLATE}), field("ConfigMap/coredns", "data", "{Corefile: \".:53 {\\n    # import /etc/coredns/custom/*.override\\n}\\n\"}"))),
    "the custom files not mounted": ("names", "corefile-edited", both(custom({"old-zone.override": TEMPLATE}), not_mounted)),
    "CoreDNS scaled to nothing": ("names", "", lambda site: site.on.probe("16.names", {"answers": {}, "error": "the name server at 10.43.0.10 does not answer"})),
    "the file was moved": ("access", "no-file", dana("error: stat /home/student/dana.kubeconfig: no such file or directory")),
    "copied as root": ("access", "not-readable", dana('error: error loading config file "/home/student/dana.kubeconfig": open /home/student/dana.kubeconfig: permission denied')),
    "the port of the kubelet": ("access", "not-trusted", dana("Unable to connect to the server: tls: failed to verify certificate: x509: certificate signed by unknown authority")),
    "another port where nobody listens": ("access", "refused", dana("The connection to the server 127.0.0.1:8443 was refused - did you specify the right host or port?")),
    "no server": ("access", "refused", dana("The connection to the server localhost:8080 was refused - did you specify the right host or port?")),  # kubernetes/kubectl#737
    "plain http": ("access", "not-trusted", dana("Error from server (BadRequest): the server rejected our request: Client sent an HTTP request to an HTTPS server.")),
    "the certificate is not verified": ("access", "not-verified", dana(insecure=True)),
    "the user's certificate is lost": ("access", "not-let-in", dana("error: You must be logged in to the server (Unauthorized)")),
    "deleted by its handle, and in the file": ("wall", "comes-back", wall([TELNET], [TELNET, HTTPS])),
    "out of the file, and not loaded": ("wall", "rule-remains", wall([TELNET, HTTPS], [TELNET])),
    "the rule in a set": ("wall", "rule-remains", wall([TELNET, "tcp dport { 80, 443 } drop"], [TELNET])),
    "the rule refuses now": ("wall", "rule-remains", wall([TELNET, "tcp dport 443 reject"], [TELNET, "tcp dport 4443 drop"])),
    "let in by a rule before the other, until the next start": ("wall", "comes-back", wall([TELNET, "tcp dport 443 accept", HTTPS], [TELNET, HTTPS])),
    "let in by another chain, which ends that chain only": ("wall", "", wall([*LETS_IN, TELNET, HTTPS], [TELNET, HTTPS])),
    "deleted by its handle, and let in by another chain's file": ("wall", "comes-back", wall([TELNET], [*LETS_IN, TELNET, HTTPS])),
    "nobody behind the port": ("wall", "", lambda site: site.on.probe("16.secure", {"status": 0, "body": "", "error": "connection refused"})),
    "the clock was set by hand": ("clock", "", lambda site: site.on.facts.update(clock="NTP=no\nNTPSynchronized=no\n")),
    "not told the time yet": ("clock", "not-synchronised", lambda site: site.on.facts.update(clock="NTP=yes\nNTPSynchronized=no\n")),
    "the disk is still full": ("disk", "node-pressure", lambda site: site.find("Node", "server")["status"]["conditions"].append({"type": "DiskPressure", "status": "True"})),
}  # fmt: skip
