"""What people write in files: read strictly, and every mistake told with its line."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

import watchkeeper
from watchkeeper_alerting.applying.agreement import World, disagreements
from watchkeeper_alerting.applying.documents import Document, SourceFile, read
from watchkeeper_alerting.applying.doubts import doubts
from watchkeeper_shared.specs import AISystem, OversightPolicy

GOOD = """\
apiVersion: watchkeeper/v1
kind: AISystem
metadata: {name: employment-ma}
spec:
  owner: {team: labour-models, contact: oncall@example.org}
  purpose: Predicts employment
  task: binary
  features: {AGEP: numeric, RELP: categorical}
  groups: {SEX: {reference: "1"}}
---
apiVersion: watchkeeper/v1
kind: OversightPolicy
metadata: {name: employment-ma}
spec:
  systems: [employment-ma]
  rules:
    - {id: drift, metric: psi, columns: ["*"], warn: 0.1, breach: 0.25}
    - {id: equity, metric: demographic_parity_ratio, attribute: SEX, below: true, breach: 0.8,
       on_breach: {channels: [oncall]}}
---
apiVersion: watchkeeper/v1
kind: Channel
metadata: {name: oncall}
spec: {type: webhook, url: "http://127.0.0.1:9900/hook"}
"""


def mistakes_of(text: str) -> list[str]:
    documents, mistakes = read([SourceFile("a.yaml", text)])
    return [str(one) for one in [*mistakes, *disagreements(documents, World())]]


def the(kind: str, text: str = GOOD) -> Document:
    documents, mistakes = read([SourceFile("a.yaml", text)])
    assert mistakes == []
    return next(one for one in documents if one.kind == kind)


def test_a_good_file_holds_and_becomes_specs() -> None:
    assert mistakes_of(GOOD) == []
    assert isinstance(the("AISystem").spec, AISystem)
    assert isinstance(the("OversightPolicy").spec, OversightPolicy)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("AGEP: numeric", f"{'A' * 129}: numeric", "expected `str` of length <= 128"),
        ("SEX: {", '"": {', "expected `str` of length >= 1"),
        ('columns: ["*"]', f'columns: ["{"c" * 129}"]', "expected `str` of length <= 128"),
        ("AGEP: numeric", '"A\\0": numeric', "remove the character NUL"),
        ('reference: "1"', 'reference: "1\\0"', "remove the character NUL"),
        ("purpose: Predicts", 'purpose: "\\uD800" #', "half of a surrogate pair"),
        ("name: employment-ma}", 'name: "employment-ma\\n"}', "matching regex"),
    ],
)
def test_names_and_texts_that_a_database_cannot_hold_are_refused(
    old: str, new: str, said: str
) -> None:
    assert any(said in one for one in mistakes_of(GOOD.replace(old, new, 1)))


def test_an_unknown_key_is_refused_with_its_line_and_the_nearest_key() -> None:
    text = GOOD.replace("  purpose: Predicts", "  porpose: Predicts")

    assert mistakes_of(text)[:2] == [
        "a.yaml:4: spec needs the key 'purpose'",
        "a.yaml:6: unknown key 'porpose' in spec; did you mean purpose?",
    ]


def test_a_wrong_feature_kind_is_named_with_its_own_line() -> None:
    text = GOOD.replace("{AGEP: numeric, RELP: categorical}", "\n    AGEP: numeric\n    RELP: cat")

    assert mistakes_of(text)[0] == "a.yaml:10: spec.features.RELP: invalid enum value 'cat'"


def test_all_mistakes_of_all_documents_come_at_once() -> None:
    text = (
        GOOD.replace("tier", "x")
        .replace("task: binary", "task: binry")
        .replace("warn: 0.1", "warn: high")
        .replace("type: webhook", "type: pigeon")
    )

    lines = [one.split(": ")[0] for one in mistakes_of(text)]

    assert {"a.yaml:7", "a.yaml:17", "a.yaml:24"} <= set(lines)


def test_a_rule_that_contradicts_itself_is_refused_at_the_rule() -> None:
    assert mistakes_of(GOOD.replace("warn: 0.1", "warn: 0.5")) == [
        "a.yaml:17: spec.rules[0]: rule drift: warn 0.5 must lie below breach 0.25"
    ]


def test_a_key_written_twice_is_refused() -> None:
    text = GOOD.replace("  task: binary", "  task: binary\n  task: regression")

    assert mistakes_of(text)[0] == "a.yaml:8: the key 'task' is here twice"


def test_text_that_is_not_yaml_is_refused_with_the_line() -> None:
    (only,) = mistakes_of("kind: [1,\nmetadata: }")

    assert only.startswith("a.yaml:2: this is not YAML")


def test_a_document_that_is_no_mapping_is_refused() -> None:
    assert mistakes_of("- 1") == ["a.yaml:1: document must be a mapping, got a list"]


def test_an_unknown_kind_is_refused_with_the_nearest_one() -> None:
    text = GOOD.replace("kind: AISystem", "kind: AiSystem")

    assert "a.yaml:2: unknown kind 'AiSystem'; did you mean AISystem?" in mistakes_of(text)


def test_an_alias_bomb_is_refused() -> None:
    text = "a: &a [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
        f"{new}: &{new} [{', '.join(['*' + old] * 10)}]\n"
        for old, new in zip("abcde", "bcdef", strict=True)
    )

    assert mistakes_of(text) == ["a.yaml:1: more than 50000 values; split the file"]


def test_the_same_object_twice_in_one_apply_is_refused() -> None:
    (only,) = mistakes_of(GOOD + "---\n" + GOOD.split("---\n")[2])

    assert only == "a.yaml:26: Channel oncall is already at a.yaml:21"


def test_a_policy_may_only_name_what_exists() -> None:
    text = (
        GOOD.replace("systems: [employment-ma]", "systems: [employment-ma, other]")
        .replace('columns: ["*"]', "columns: [AGEB, score]")
        .replace("attribute: SEX", "attribute: RACE")
        .replace("channels: [oncall]", "channels: [oncal]")
        .replace("metric: psi", "metric: psy")
    )

    assert mistakes_of(text) == [
        "a.yaml:15: no system 'other'; known: employment-ma",
        "a.yaml:17: rule drift: system employment-ma has no column 'AGEB'; did you mean AGEP?",
        "a.yaml:17: rule drift: unknown metric 'psy'; did you mean psi?",
        "a.yaml:18: rule equity: system employment-ma declares no group 'RACE'; known: SEX",
        "a.yaml:19: rule equity: no channel 'oncal'; did you mean oncall?",
    ]


def test_a_rule_without_a_limit_is_refused() -> None:
    (only,) = mistakes_of(GOOD.replace(", warn: 0.1, breach: 0.25", ""))

    assert "could never fire" in only


def test_a_limit_that_no_value_can_pass_is_refused() -> None:
    text = GOOD.replace("psi", "missing_share").replace("0.1, breach: 0.25", "1, breach: 5")

    assert mistakes_of(text) == [
        "a.yaml:17: rule drift: missing_share lies between 0 and 1, got breach 5; 5 % is 0.05"
    ]


RULE = 'metric: psi, columns: ["*"], warn: 0.1, breach: 0.25'


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("metric: psi, breach: 0", "every value of psi is past breach 0: it lies at 0 or above"),
        ("metric: psi, breach: -1", "psi lies at 0 or above, got breach -1"),
        ("metric: psi, warn: 0, breach: 0.2", "every value of psi is past warn 0"),
        ("metric: accuracy, below: true, breach: 1.0", "every value of accuracy is past breach 1"),
        (
            "metric: missing_share, breach: 1",
            "missing_share lies between 0 and 1, so no evidence could show that it is past breach",
        ),
        (
            "metric: recall, below: true, breach: 0",
            "recall lies between 0 and 1, so no evidence could show that it is past breach 0",
        ),
        ("metric: volume, below: true, breach: -3", "volume lies at 0 or above, got breach -3"),
        ("metric: accuracy_difference, breach: 2", "accuracy_difference lies between 0 and 1, "),
        ("metric: mcc, below: true, breach: 50", "mcc lies between -1 and 1, got breach 50"),
        ("metric: r2, below: true, breach: 2", "r2 lies at 1 or below, got breach 2"),
        ("metric: brier, breach: 2.5", "brier lies between 0 and 2, got breach 2.5"),
        ("metric: js_distance, breach: 0.9", "js_distance lies between 0 and 0.833, got breach"),
        ("metric: latency_p95, breach: -5", "latency_p95 lies at 0 or above, got breach -5"),
        ("metric: psi, breach: 0.2, clear: {limit: 0}", "every value of psi is past clear 0"),
        ("metric: psi, breach: 0.2, clear: {limit: 0.3}", "clear 0.3 must lie below breach 0.2"),
        (
            "metric: accuracy, below: true, breach: 0.8, clear: {limit: 0.7}",
            "clear 0.7 must lie above breach 0.8, or a window past the breach would end it",
        ),
    ],
)
def test_a_limit_that_tells_no_values_apart_is_refused(rule: str, words: str) -> None:
    (only,) = mistakes_of(GOOD.replace(RULE, rule))

    assert only.startswith(f"a.yaml:17: rule drift: {words}")


@pytest.mark.parametrize(
    "rule",
    [
        "metric: brier, breach: 1.2",
        "metric: volume, below: true, breach: 0",
        "metric: mean_error, breach: -3",
        "metric: accuracy_drop, breach: 0",
        "metric: label_coverage, below: true, breach: 0",
        "metric: tvd, breach: 1",
        "metric: psi, breach: 0.2, clear: {limit: 0.2}",
        "metric: accuracy, below: true, breach: 0.8, clear: {limit: 0.85}",
    ],
)
def test_a_limit_that_some_values_pass_and_others_do_not_is_taken(rule: str) -> None:
    assert mistakes_of(GOOD.replace(RULE, rule)) == []


PACKAGE = Path(watchkeeper.__file__).parent


@pytest.mark.parametrize(
    "names",
    [
        *([f"policies/{tier}.yaml"] for tier in ("low", "limited", "high")),
        ["demo/system.yaml", "demo/policy.yaml"],
    ],
    ids="-".join,
)
def test_what_is_shipped_makes_sense(names: list[str]) -> None:
    files = [SourceFile(name, (PACKAGE / name).read_text(encoding="utf-8")) for name in names]
    documents, mistakes = read(files)

    assert len(documents) >= len(names)
    assert [str(one) for one in [*mistakes, *disagreements(documents, World())]] == []


@pytest.mark.parametrize(
    ("metric", "below", "words"),
    [
        ("accuracy", "", "accuracy is bad when it is low; add `below: true`"),
        ("estimated_f1", "", "estimated_f1 is bad when it is low; add `below: true`"),
        ("psi", "below: true, ", "psi is bad when it is high; remove `below: true`"),
    ],
)
def test_a_limit_on_the_good_side_is_refused_with_what_to_write(
    metric: str, below: str, words: str
) -> None:
    rule = f"metric: {metric}, {below}breach: 0.25"
    text = GOOD.replace('metric: psi, columns: ["*"], warn: 0.1, breach: 0.25', rule)

    (only,) = mistakes_of(text)

    assert only.startswith(f"a.yaml:17: rule drift: {words}, or healthy values")


@pytest.mark.parametrize("below", ["", "below: true, "])
def test_what_is_bad_on_either_side_takes_limits_on_both(below: str) -> None:
    rule = f"metric: volume, {below}breach: 500"

    assert (
        mistakes_of(GOOD.replace('metric: psi, columns: ["*"], warn: 0.1, breach: 0.25', rule))
        == []
    )


def test_a_policy_that_watches_nothing_is_refused_unless_it_has_no_systems() -> None:
    head, _, tail = GOOD.partition("  rules:")
    none = head + "  rules: []\n---" + tail.partition("---")[2]

    (only,) = mistakes_of(none)

    assert only.startswith("a.yaml:16: a policy without rules watches nothing")
    assert mistakes_of(none.replace("systems: [employment-ma]", "systems: []")) == []


def test_a_lateness_under_which_nothing_could_ever_breach_is_refused() -> None:
    window = "systems: [employment-ma]\n  window: {size: 1d, lateness: 365d}"

    (only,) = mistakes_of(GOOD.replace("systems: [employment-ma]", window))

    assert only.startswith("a.yaml:16: lateness 365d: no window could breach before")
    assert "at most 30d" in only


def test_a_window_may_wait_for_nothing() -> None:
    window = "systems: [employment-ma]\n  window: {size: 1d, lateness: 0s}"
    policy = the("OversightPolicy", GOOD.replace("systems: [employment-ma]", window)).spec

    assert isinstance(policy, OversightPolicy)
    assert policy.window.lateness_delta == timedelta(0)


@pytest.mark.parametrize(
    ("field", "text", "least"),
    [("size", "0s", "above 0"), ("step", "1w", "above 0"), ("lateness", "soon", "from 0 on")],
)
def test_a_wrong_duration_is_refused_with_the_name_of_its_field(
    field: str, text: str, least: str
) -> None:
    window = f"systems: [employment-ma]\n  window: {{{field}: {text}}}"

    (only,) = mistakes_of(GOOD.replace("systems: [employment-ma]", window))

    assert f"window {field}: a duration is a whole number {least} " in only
    assert f"got '{text}'" in only


@pytest.mark.parametrize("number", [".nan", ".inf", "-.inf"])
def test_a_limit_is_a_finite_number(number: str) -> None:
    (only,) = mistakes_of(GOOD.replace("warn: 0.1", f"warn: {number}"))

    assert only.startswith("a.yaml:17: spec.rules[0].warn must be a finite number, got ")


def test_a_segment_names_declared_groups_in_a_way_that_can_be_read() -> None:
    def of(segments: str) -> list[str]:
        return mistakes_of(GOOD.replace('columns: ["*"]', f"segments: {segments}"))

    assert of('[SEX=2, ""]') == []
    assert of("[SXE=2]") == [
        "a.yaml:17: rule drift: system employment-ma declares no group 'SXE'; did you mean SEX?"
    ]
    unreadable = "a.yaml:17: rule drift: a segment is attribute=group, as in SEX=2, got"
    assert of("[SEX2, SEX=2&3]") == [f"{unreadable} 'SEX2'", f"{unreadable} 'SEX=2&3'"]


def test_a_group_of_a_fairness_rule_may_hold_an_ampersand() -> None:
    assert (
        mistakes_of(GOOD.replace("attribute: SEX,", 'attribute: SEX, segments: ["SEX=a&b"],')) == []
    )


def test_a_policy_may_name_what_is_already_in_force() -> None:
    parts = GOOD.split("---\n")
    system = the("AISystem", parts[0])
    assert isinstance(system.spec, AISystem)
    world = World({"employment-ma": system.spec}, frozenset({"oncall"}))
    documents, _ = read([SourceFile("policy.yaml", parts[1])])

    assert disagreements(documents, world) == []


def test_a_channel_is_not_given_a_secret_of_watchkeeper_itself() -> None:
    text = GOOD.replace('hook"}', 'hook", secret_env: WATCHKEEPER_DATABASE_URL}')

    (mistake,) = mistakes_of(text)

    assert mistake.startswith("a.yaml:24: WATCHKEEPER_DATABASE_URL is a setting of Watchkeeper")


def test_only_the_content_counts_for_the_hash() -> None:
    reordered = GOOD.replace(
        "{AGEP: numeric, RELP: categorical}", "{RELP: categorical, AGEP: numeric}  # as approved"
    )
    spelled_out = GOOD.replace("  task: binary", "  task: binary\n  tier: high")
    changed = GOOD.replace("  task: binary", "  task: binary\n  tier: low")

    assert the("AISystem", reordered).hash == the("AISystem").hash
    assert the("AISystem", spelled_out).hash == the("AISystem").hash
    assert the("AISystem", changed).hash != the("AISystem").hash


def doubts_of(text: str, world: World | None = None) -> list[str]:
    documents, mistakes = read([SourceFile("a.yaml", text)])
    assert mistakes == []
    return [str(one) for one in doubts(documents, world or World())]


WITHOUT_CHANNEL = GOOD.rpartition("---")[0].replace("[oncall]", "[]")


def test_a_policy_whose_breaches_somebody_is_told_of_raises_no_doubt() -> None:
    assert doubts_of(GOOD) == []
    assert doubts_of(WITHOUT_CHANNEL.replace("channels: []", "ticket: true"), WITH_MAIL) == []


WITH_MAIL = World(channels=frozenset({"mail"}))


def test_a_rule_that_tells_nobody_is_named_with_what_to_do() -> None:
    (none,) = doubts_of(WITHOUT_CHANNEL)
    (some,) = doubts_of(WITHOUT_CHANNEL, WITH_MAIL)

    assert none.startswith("a.yaml:16: policy employment-ma: nobody is told of a breach of drift, ")
    assert none.endswith("; apply a Channel")
    assert "a breach of equity, only the console shows it; name channels in `on_breach`" in some


def test_a_rule_that_only_warns_has_nothing_to_tell() -> None:
    warning = WITHOUT_CHANNEL.replace("warn: 0.1, breach: 0.25", "warn: 0.1")

    assert "of equity," in doubts_of(warning)[0]


def test_a_long_list_of_rules_is_cut() -> None:
    rule = "    - {id: drift-%d, metric: psi, columns: [AGEP], breach: 0.25}\n"
    many = WITHOUT_CHANNEL.rstrip("-\n") + "\n" + "".join(rule % one for one in range(7))

    assert "drift-2 and 4 more, only" in doubts_of(many)[0]


def test_a_rule_on_confusion_names_what_a_class_was_taken_for() -> None:
    def of(segments: str) -> list[str]:
        rule = f'metric: confusion_share, columns: ["2"], segments: {segments},'
        return mistakes_of(GOOD.replace('metric: psi, columns: ["*"],', rule))

    assert of('["prediction=3", "prediction=a&b=c"]') == []
    for wrong in ('["SEX=2"]', '["prediction="]', '["prediction"]', "[]"):
        (said,) = of(wrong)
        assert "rule drift: confusion_share needs segments such as prediction=CLASS" in said
