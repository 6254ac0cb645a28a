"""The picture of a lab: what stands in it, what is marked broken and why, and that nothing a cluster says becomes markup."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from courselab.course import Catalog
from courselab.grade.checker import checker_path, load_checker
from courselab.grade.evidence import load
from courselab.grade.run import Outcome, judge_saved
from courselab.site.drawing import draw
from courselab.site.picture import Picture, Thing, picture_of, sentences
from tests.unit.grade.builders import deployment, evidence, obj, pod, replica_set, service, waiting

COURSE = Path(__file__).parents[3]
READY = {"conditions": [{"type": "Ready", "status": "True"}], "nodeInfo": {"kubeletVersion": "v1.36.3"}}


def ingress(backend: str) -> dict[str, object]:
    path = {"path": "/", "backend": {"service": {"name": backend, "port": {"number": 80}}}}
    return obj("Ingress", "shop", spec={"ingressClassName": "traefik", "rules": [{"host": "a.example", "http": {"paths": [path]}}]})


def judged(chapter: str, case: str) -> Outcome:
    """A case whose Evidence was kept, judged again."""
    lab = Catalog(COURSE).find(chapter)
    evidence = load(COURSE / "tests" / "evidence" / chapter / f"{case}.json.gz")
    return judge_saved(lab, load_checker(checker_path(COURSE, chapter), lab), evidence)


def pictured(*objects: dict[str, object]) -> Picture:
    return picture_of(evidence(obj("Node", "server", status=READY), obj("IngressClass", "traefik"), *objects))


def thing(picture: Picture, kind: str, name: str) -> Thing:
    return next(one for one in picture.things if (one.kind, one.name) == (kind, name))


def test_the_way_of_a_request_is_drawn() -> None:
    web = deployment("web", 1)
    owner = replica_set(web)
    one = pod("web-1", owner)
    slices = obj(
        "EndpointSlice",
        "web-x",
        labels={"kubernetes.io/service-name": "web"},
        endpoints=[{"addresses": ["10.42.0.7"], "conditions": {"ready": True}, "targetRef": {"name": "web-1"}}],
        ports=[{"port": 8080}],
    )
    picture = pictured(web, owner, one, service("web"), slices, ingress("web"))
    assert [(arrow.broken) for arrow in picture.arrows] == [False, False]
    assert thing(picture, "Pod", "web-1").state == "well"
    assert thing(picture, "Ingress", "shop").notes == ("a.example/",)
    assert "Ingress shop (a.example/) is well. It leads to Service web." in sentences(picture)
    ElementTree.fromstring(draw(picture))


def test_what_is_broken_is_marked_with_its_reason() -> None:
    bad = pod("web-1", ready=False, state=waiting("ErrImagePull", "not found"), containers=[{"name": "web", "image": "course/web:9"}])
    picture = pictured(bad, service("web", selector={"app": "shopp"}), ingress("wbe"))
    assert thing(picture, "Pod", "web-1").state == "broken"
    assert "app=shopp" in thing(picture, "Service", "web").reason
    assert thing(picture, "Service", "wbe").state == "gone"
    assert [arrow.broken for arrow in picture.arrows] == [True]
    assert any("Service wbe is not there" in line for line in sentences(picture))


@pytest.mark.parametrize(
    ("case", "kind", "name", "words"),
    [
        ("route.host", "Ingress", "shop", "The rule is for florist.example."),
        ("route.no-host", "Ingress", "shop", "a rule without a host"),
        ("route.class", "Ingress", "shop", "no controller claims its ingress class “nginx”"),
        ("route.backend-port", "Ingress", "shop", "asks Service shop for port 8042"),
        ("route.backend-name", "Service", "web", "No Service of this name"),
        ("route.namespace", "Ingress", "default/shop", "not in its namespace default"),
        ("paths.exact", "Ingress", "cart", "pathType Exact"),
        ("paths.same-service", "Service", "shop", "does not match the cart's pod"),
        ("public.cluster-ip", "Service", "shop-public", "type ClusterIP"),
        ("public.other-port", "Service", "shop-public", "open on 8042"),
        ("tls.other-name", "Ingress", "shop", "its own certificate"),
    ],
)
def test_what_a_learner_of_chapter_03_gets_wrong_is_marked_where_it_is(case: str, kind: str, name: str, words: str) -> None:
    """As broken, or, if it works by itself, as not what the task asks for; and nothing else is marked."""
    kept = judged("03", case)
    picture = picture_of(kept.evidence, kept.report.results)
    wrong = thing(picture, kind, name)
    assert wrong.state in ("broken", "gone", "other")
    assert words in wrong.reason
    assert {one.name.rpartition("/")[2] for one in picture.things if one.state != "well"} <= {wrong.name.rpartition("/")[2], "shop", "cart"}
    assert words in " ".join(sentences(picture))
    ElementTree.fromstring(draw(picture))


def test_of_several_nodes_the_one_is_marked_that_the_task_names() -> None:
    kept = judged("05", "cluster.left-over")
    nodes = {one.name: one.state for one in picture_of(kept.evidence, kept.report.results).things if one.kind == "Node"}
    assert nodes == {"server": "well", "edge0": "other", "edge1": "well", "edge2": "well"}


def test_a_node_that_no_machine_reports_as_is_not_well() -> None:
    """Chapter 05 begins with one: the machine was replaced, and the cluster remembers the old one."""
    left = thing(picture_of(judged("05", "untouched").evidence), "Node", "edge2")
    assert (left.state, left.reason) == ("busy", "No machine reports that it is ready as this node.")


def test_one_is_one() -> None:
    kept = judged("06", "solved")
    picture = picture_of(kept.evidence, kept.report.results)
    notes = [note for one in picture.things for note in one.notes]
    assert not [note for note in notes if note.startswith("1 ") and note.split()[1] in ("pods", "restarts", "addresses")]
    door = thing(picture, "Service", "api")
    assert "LoadBalancer" in door.notes
    assert kept.evidence.nodes[kept.evidence.params["door"]].address in " ".join(door.notes)


def test_nothing_is_marked_in_a_lab_that_is_done() -> None:
    for chapter in sorted(path.parent.name for path in COURSE.glob("tests/evidence/*/solved.json.gz")):  # a new chapter has none yet
        kept = judged(chapter, "solved")
        marked = [one for one in picture_of(kept.evidence, kept.report.results).things if one.state == "other"]
        assert marked == []


def test_nothing_a_cluster_says_becomes_markup() -> None:
    evil = '</text><script>alert(1)</script>" onload="x'
    drawn = draw(pictured(pod(evil, containers=[{"name": "web", "image": evil}]), service(evil), ingress(evil)))
    tree = ElementTree.fromstring(drawn)
    assert {element.tag.rpartition("}")[2] for element in tree.iter()} <= {"svg", "defs", "marker", "g", "rect", "path", "text", "title"}
    assert not [name for element in tree.iter() for name in element.attrib if name.startswith("on")]


def test_a_large_lab_stays_readable() -> None:
    picture = pictured(*(pod(f"web-{n}") for n in range(60)), *(service(f"s{n}") for n in range(20)))
    assert sum(host.more for host in picture.hosts) == 44
    assert picture.more == 8
    assert len(draw(picture)) < 60_000
