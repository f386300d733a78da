"""The chart, rendered by Helm itself for each file in `helm/watchkeeper/ci/`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from watchkeeper_shared.testing.charts import HelmEnvironment, Rendered
from watchkeeper_shared.testing.servers.programs import run_program

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "watchkeeper"
FEATURES = sorted((CHART / "ci").glob("*-values.yaml"))
MINIMAL = {"database": {"existingSecret": "db"}, "kafka": {"bootstrap": "kafka:9092"}}
WITHOUT_SCHEMA = {"ServiceMonitor", "PrometheusRule"}  # the operator's, not Kubernetes' own

Manifest = dict[str, Any]


@pytest.fixture(scope="module", params=FEATURES, ids=lambda path: path.stem)
def rendered(request: pytest.FixtureRequest, helm: HelmEnvironment) -> Rendered:
    return helm.render(yaml.safe_load(request.param.read_text(encoding="utf-8")))


def pod_templates(rendered: Rendered) -> Iterator[tuple[Manifest, Manifest]]:
    """Every object that makes pods, with its pod template."""
    for one in rendered.manifests:
        if one["kind"] in ("Deployment", "Job"):
            yield one, one["spec"]["template"]


def containers(rendered: Rendered) -> Iterator[Manifest]:
    for _, template in pod_templates(rendered):
        yield from template["spec"]["containers"]


def is_hook(manifest: Manifest) -> bool:
    return "helm.sh/hook" in manifest["metadata"].get("annotations", {})


def texts(value: object) -> Iterator[str]:
    """Every string anywhere in a manifest."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)
    elif isinstance(value, str):
        yield value


def test_there_is_a_values_file_for_each_feature() -> None:
    assert len(FEATURES) >= 4


def test_helm_takes_it_without_a_warning(rendered: Rendered) -> None:
    assert rendered.refused == ""
    assert rendered.lint == ()
    assert len(rendered.of_kind("Deployment")) == len(rendered.of_kind("Service")) == 3
    assert "console" in rendered.notes


def test_kubernetes_knows_every_field(
    rendered: Rendered, helm: HelmEnvironment, tmp_path: Path
) -> None:
    known = [one for one in rendered.manifests if one["kind"] not in WITHOUT_SCHEMA]
    page = tmp_path / "rendered.yaml"
    page.write_text(yaml.safe_dump_all(known), encoding="utf-8")

    status, said = run_program([helm.program("kubernetes-validate"), "--strict", page])

    assert status == 0, said


def test_names_are_given_once(rendered: Rendered) -> None:
    names = [(one["kind"], one["metadata"]["name"]) for one in rendered.manifests]

    assert len(set(names)) == len(names)


def test_selectors_find_the_pods_and_hold_no_version(rendered: Rendered) -> None:
    pods = [template["metadata"]["labels"] for _, template in pod_templates(rendered)]
    deployments = rendered.of_kind("Deployment")

    for service in rendered.of_kind("Service"):
        assert sum(service["spec"]["selector"].items() <= pod.items() for pod in pods) == 1
    for owner in deployments + rendered.of_kind("PodDisruptionBudget"):
        wanted = owner["spec"]["selector"]["matchLabels"]
        assert sum(wanted.items() <= pod.items() for pod in pods) == 1
        assert not any("version" in key or "chart" in key for key in wanted)


def test_each_service_carries_the_port_that_its_pods_open(rendered: Rendered) -> None:
    for container in containers(rendered):
        opened = {port["name"] for port in container.get("ports", [])}
        assert opened <= {"http"}
    for service in rendered.of_kind("Service"):
        assert [port["targetPort"] for port in service["spec"]["ports"]] == ["http"]


def test_people_reach_the_console_while_the_log_is_away(rendered: Rendered) -> None:
    reached = {
        one["metadata"]["name"].rpartition("-")[2]: one["spec"].get("publishNotReadyAddresses")
        for one in rendered.manifests
        if one["kind"] == "Service"
    }

    assert reached == {"alerting": True, "ingest": None, "monitor": None}


def test_a_hook_needs_nothing_that_comes_after_it(rendered: Rendered) -> None:
    """Helm runs hooks first: one that waits for an object of the chart waits for ever."""
    later = {one["metadata"]["name"] for one in rendered.manifests if not is_hook(one)}

    for hook in filter(is_hook, rendered.manifests):
        pod = hook["spec"]["template"]["spec"]
        assert "serviceAccountName" not in pod
        assert later.isdisjoint(texts(pod)), hook["metadata"]["name"]


def test_hooks_run_in_order_and_leave_nothing_behind(rendered: Rendered) -> None:
    weights = {}
    for hook in filter(is_hook, rendered.manifests):
        notes = hook["metadata"]["annotations"]
        assert notes["helm.sh/hook"] == "pre-install,pre-upgrade"
        assert notes["helm.sh/hook-delete-policy"] == "before-hook-creation,hook-succeeded"
        (container,) = hook["spec"]["template"]["spec"]["containers"]
        weights[container["name"]] = int(notes["helm.sh/hook-weight"])

    assert weights.items() <= {"migrate": -5, "topics": -4}.items()


def test_pods_run_without_rights_they_do_not_need(rendered: Rendered) -> None:
    for owner, template in pod_templates(rendered):
        pod = template["spec"]
        assert pod["automountServiceAccountToken"] is False, owner["metadata"]["name"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert {"name": "tmp", "emptyDir": {}} in pod["volumes"]
    for container in containers(rendered):
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert {"name": "tmp", "mountPath": "/tmp"} in container["volumeMounts"]
        assert set(container["resources"]) == {"requests", "limits"}


def test_images_are_pinned(rendered: Rendered) -> None:
    images = {container["image"] for container in containers(rendered)}

    assert len(images) == 1
    image = images.pop()
    assert "@sha256:" in image or image.rpartition(":")[2] not in ("", "latest", image)


def test_alive_and_ready_are_different_questions(rendered: Rendered) -> None:
    for deployment in rendered.of_kind("Deployment"):
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        asked = {
            name: container[f"{name}Probe"]["httpGet"]["path"]
            for name in ("startup", "liveness", "readiness")
        }
        assert asked == {"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"}


def test_the_chart_makes_no_secret(rendered: Rendered) -> None:
    assert rendered.of_kind("Secret") == []
    for container in containers(rendered):
        url = [one for one in container["env"] if one["name"] == "WATCHKEEPER_DATABASE_URL"]
        assert [set(one) for one in url] == [{"name", "valueFrom"}]


def test_an_autoscaled_service_leaves_its_replicas_to_the_autoscaler(rendered: Rendered) -> None:
    scaled = {one["spec"]["scaleTargetRef"]["name"] for one in rendered.manifests
              if one["kind"] == "HorizontalPodAutoscaler"}  # fmt: skip

    for deployment in rendered.of_kind("Deployment"):
        assert ("replicas" in deployment["spec"]) == (deployment["metadata"]["name"] not in scaled)


def test_a_changed_setting_rolls_the_pods(helm: HelmEnvironment) -> None:
    def sums(rendered: Rendered) -> list[str]:
        return [
            one["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
            for one in rendered.of_kind("Deployment")
        ]

    before = sums(helm.render(MINIMAL))
    after = sums(helm.render({**MINIMAL, "kafka": {"bootstrap": "other:9092"}}))

    assert len(set(before)) == len(set(after)) == 1
    assert before != after
