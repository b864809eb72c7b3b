"""How well probes recognise: precision and recall on a corpus of our own (its README says how it was made)."""

from __future__ import annotations

from collections import Counter
from datetime import date

import pytest

from tests.corpus.reading import Entry, ages, values
from troth.filters.ages import UNREADABLE, age
from troth.filters.probes import Known, Probes

ROWS = [("email", "email", None), ("phone", "phone", None), ("ip", "ip", None), ("luhn", "luhn", None),
        ("known", "known", None), ("pattern", "pattern", r"CUST-\d{6}|LIC[0-9A-F]{8}")]  # fmt: skip
KNOWN = Known({"known": ["Ada Lovelace", "member-815", "Wiłość 12"]})
TODAY = date(2024, 11, 22)
PROBES = ("email", "phone", "ip", "luhn", "age", "known", "pattern")
LOOKS_LIKE_A_CARD = ("times", "order", "device", "snowflakes", "tracking", "counts", "ISBN")


def found(probes: Probes, entry: Entry) -> frozenset[str]:
    if entry.form == "within":
        return probes.find_within(str(entry.value), KNOWN)
    return frozenset(probes.find(entry.value, KNOWN))


def scores(probes: Probes, file: str = "values.txt") -> tuple[dict[str, Counter[str]], list[str]]:
    counts: dict[str, Counter[str]] = {probe: Counter() for probe in PROBES}
    wrong: list[str] = []
    for entry in values(file):
        seen = found(probes, entry)
        for probe in seen | entry.labels:
            verdict = "hit" if probe in seen & entry.labels else "false" if probe in seen else "missed"
            counts[probe][verdict] += 1
            if verdict != "hit":
                wrong.append(f"{probe:8}{verdict:8}{entry.value}")
    return counts, wrong


def scores_with_ages(probes: Probes) -> tuple[dict[str, Counter[str]], list[str]]:
    counts, wrong = scores(probes)
    for one in ages():
        stated, expected = age(one.name, one.value, TODAY), one.age
        is_age, is_read = isinstance(expected, tuple), isinstance(stated, tuple)
        counts["age"]["hit"] += is_age and stated == expected
        counts["age"]["missed"] += is_age and stated != expected
        counts["age"]["false"] += is_read and stated != expected
        if stated != expected:
            wrong.append(f"{'age':8}{'wrong':8}{one.name} {one.value} {stated}")
    return counts, wrong


def table(counts: dict[str, Counter[str]]) -> tuple[str, float, float]:
    total = sum(counts.values(), Counter())
    lines = [f"{'probe':10}{'hits':>6}{'false':>7}{'missed':>8}{'precision':>11}{'recall':>8}"]
    for name, one in [*counts.items(), ("all", total)]:
        precision, recall = ratios(one)
        lines.append(f"{name:10}{one['hit']:6}{one['false']:7}{one['missed']:8}{precision:11.3f}{recall:8.3f}")
    return "\n".join(lines), *ratios(total)


def ratios(one: Counter[str]) -> tuple[float, float]:
    return one["hit"] / max(1, one["hit"] + one["false"]), one["hit"] / max(1, one["hit"] + one["missed"])


def test_the_bar_of_precision_and_recall_is_held(capsys):
    counts, wrong = scores_with_ages(Probes(ROWS))
    shown, precision, recall = table(counts)
    with capsys.disabled():
        print(f"\n{shown}")
    assert precision >= 0.98, "\n".join(wrong)
    assert recall >= 0.95, "\n".join(wrong)


def test_values_that_no_rule_was_made_for_are_told_nearly_as_well(capsys):
    counts, wrong = scores(Probes(ROWS), "held_out.txt")
    shown, precision, recall = table(counts)
    with capsys.disabled():
        print(f"\n{shown}")
    assert precision >= 0.9, "\n".join(wrong)
    assert recall >= 0.9, "\n".join(wrong)


def test_no_time_stamp_order_number_device_number_or_snowflake_is_taken_for_a_card():
    probes = Probes(ROWS)
    look_alikes = [one for one in values() if not one.labels and one.heading.startswith(LOOKS_LIKE_A_CARD)]
    assert len(look_alikes) > 200
    assert [one.value for one in look_alikes if "luhn" in found(probes, one)] == []


def test_the_corpus_is_large_and_a_third_of_it_are_hard_negatives():
    entries = list(values())
    hard = [one for one in entries if not one.labels and not one.heading.startswith("plain")]
    assert len(entries) >= 700
    assert len(hard) * 3 >= len(entries)
    assert len({(one.form, one.value) for one in entries if one.labels}) == sum(bool(one.labels) for one in entries)
    assert {label for one in entries for label in one.labels} == set(PROBES) - {"age"}
    assert sum(one.age == UNREADABLE for one in ages()) * 4 >= len(list(ages()))


@pytest.mark.parametrize("probe", PROBES)
def test_no_probe_hides_behind_the_others(probe):
    precision, recall = ratios(scores_with_ages(Probes(ROWS))[0][probe])
    assert precision >= 0.95
    assert recall >= 0.9
