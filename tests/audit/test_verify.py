"""Verification of trails that the writer never touched: every way of tampering is named with file and line."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from tests.audit.handmade import LEDGER, PUBLIC, Ledger, Segment, files, made
from troth.audit.verify import Files, FindingKind, Report, check, verify

K = FindingKind
Edit = Callable[[list[bytes]], object]


def judged(trail: Files) -> Report:
    return check(trail, trail.files.get(LEDGER), [PUBLIC])


def named(report: Report) -> set[tuple[str, int, FindingKind]]:
    return {(found.file, found.line, found.kind) for found in report.findings}


def with_data(trail: Files, name: str, data: bytes) -> Files:
    return Files({**trail.files, name: data}, trail.live)


def with_lines(trail: Files, name: str, change: Edit) -> Files:
    lines = trail.files[name].split(b"\n")[:-1]
    change(lines)
    return with_data(trail, name, b"".join(line + b"\n" for line in lines))


def dropped(at: int) -> Edit:
    return lambda lines: lines.pop(at)


def doubled(at: int) -> Edit:
    return lambda lines: lines.insert(at, lines[at])


def swapped(one: int, other: int) -> Edit:
    def swap(lines: list[bytes]) -> None:
        lines[one], lines[other] = lines[other], lines[one]

    return swap


def replaced(at: int, old: bytes, new: bytes) -> Edit:
    return lambda lines: lines.__setitem__(at, lines[at].replace(old, new))


@pytest.fixture(scope="module")
def sealed() -> Files:
    return files(*made(40))


@pytest.fixture(scope="module")
def idle() -> Files:
    return files(*made(40, sealed=False), live=True)


def first_segment(trail: Files) -> str:
    return trail.names()[0]


def test_an_untouched_sealed_trail_is_sound(sealed: Files) -> None:
    report = judged(sealed)
    assert report.findings == ()
    assert (report.exit_code, report.lines, report.anchored, report.segments, report.streams) == (0, 40, 40, 2, 2)


def test_the_trail_of_an_idle_server_is_sound(idle: Files) -> None:
    assert judged(idle).exit_code == 0


def test_without_its_writer_an_unsealed_segment_is_incomplete(idle: Files) -> None:
    report = judged(Files(idle.files))
    assert report.exit_code == 7
    assert named(report) == {(name, 20, K.UNANCHORED) for name in idle.names()}


def test_lines_after_the_last_checkpoint_are_unanchored_from_the_first_of_them() -> None:
    report = judged(files(*made(40, sealed=False, behind=3), live=True))
    assert report.exit_code == 7
    assert {(line, kind) for _, line, kind in named(report)} == {(21, K.UNANCHORED)}


# Every byte, every line, every cut.


def lines_before(data: bytes, position: int) -> int:
    return data.count(b"\n", 0, position) + 1


def mutants(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield every position with the data in which that byte is another; the change differs from byte to byte."""
    for at, byte in enumerate(data):
        yield at, data[:at] + bytes([byte ^ (0x01, 0x20, 0x80)[at % 3]]) + data[at + 1 :]


def missed_bytes(trail: Files, name: str) -> list[int]:
    """Change every byte once; return the positions that were not named with file and line."""
    data, missed = trail.files[name], []
    for at, mutant in mutants(data):
        report = judged(with_data(trail, name, mutant))
        if report.exit_code != 6 or (name, lines_before(data, at)) not in {(f.file, f.line) for f in report.findings}:
            missed.append(at)
    return missed


def test_every_changed_byte_of_a_sealed_segment_is_named(sealed: Files) -> None:
    for name in sealed.names():
        assert missed_bytes(sealed, name) == []


def test_every_changed_byte_of_the_checkpoint_file_is_named(sealed: Files) -> None:
    data = sealed.files[LEDGER]
    end = len(data) - 1  # the last line feed: without it the last entry counts as cut off, which is told below
    assert [at for at in missed_bytes(sealed, LEDGER) if at != end] == []


def test_a_changed_line_is_named_exactly(sealed: Files) -> None:
    name = first_segment(sealed)
    for at in range(20):
        trail = with_lines(sealed, name, replaced(at, b"GET", b"PUT"))
        assert named(judged(trail)) == {(name, at + 1, K.CHANGED)}


def test_every_dropped_line_is_named(sealed: Files) -> None:
    name = first_segment(sealed)
    for at in range(20):
        found = named(judged(with_lines(sealed, name, dropped(at))))
        assert found == {(name, at + 1, K.MISSING if at < 19 else K.CUT)}


def test_every_doubled_line_is_named(sealed: Files) -> None:
    name = first_segment(sealed)
    for at in range(20):
        trail = with_lines(sealed, name, doubled(at))
        expected = {(name, at + 2, K.DUPLICATED)} if at < 19 else {(name, 21, K.ADDED)}
        assert named(judged(trail)) == expected


def test_every_pair_of_swapped_lines_is_named(sealed: Files) -> None:
    name = first_segment(sealed)
    for one in range(20):
        for other in range(one + 1, 20):
            report = judged(with_lines(sealed, name, swapped(one, other)))
            assert report.exit_code == 6
            assert {(name, one + 1, K.SWAPPED), (name, other + 1, K.SWAPPED)} <= named(report)


def test_every_cut_of_a_sealed_segment_is_named(sealed: Files) -> None:
    name = first_segment(sealed)
    data = sealed.files[name]
    for at in range(len(data)):
        report = judged(with_data(sealed, name, data[:at]))
        assert report.exit_code == 6
        assert any(found.file == name and found.line == lines_before(data, at) for found in report.findings)


def test_every_cut_of_the_checkpoint_file_is_named(sealed: Files) -> None:
    data = sealed.files[LEDGER]
    for at in range(len(data)):
        report = judged(with_data(sealed, LEDGER, data[:at]))
        assert report.exit_code in {6, 7}
        assert report.findings


def test_every_dropped_doubled_or_swapped_checkpoint_is_named(sealed: Files) -> None:
    count = sealed.files[LEDGER].count(b"\n")
    for at in range(count - 1):
        assert (LEDGER, at + 1, K.MISSING) in named(judged(with_lines(sealed, LEDGER, dropped(at))))
        assert named(judged(with_lines(sealed, LEDGER, doubled(at)))) == {(LEDGER, at + 2, K.DUPLICATED)}
        assert (LEDGER, at + 2, K.SWAPPED) in named(judged(with_lines(sealed, LEDGER, swapped(at, at + 1))))


def test_a_seal_that_was_dropped_at_the_end_leaves_its_segment_incomplete(sealed: Files) -> None:
    report = judged(with_lines(sealed, LEDGER, lambda lines: lines.pop()))
    assert named(report) == {(sealed.names()[1], 20, K.UNANCHORED)}
    assert report.exit_code == 7


def test_an_entry_without_its_line_feed_counts_as_torn(sealed: Files) -> None:
    report = judged(with_data(sealed, LEDGER, sealed.files[LEDGER][:-1]))
    assert report.exit_code == 7
    assert (LEDGER, sealed.files[LEDGER].count(b"\n"), K.TORN) in named(report)


@pytest.mark.real
def test_every_changed_byte_of_three_hundred_lines_is_named() -> None:
    trail = files(*made(300, every=64))
    for name in (*trail.names(), LEDGER):
        assert [at for at in missed_bytes(trail, name) if (name, at) != (LEDGER, len(trail.files[name]) - 1)] == []


# After the anchor.


def after_anchor() -> tuple[Files, str]:
    trail = files(*made(40, sealed=False, behind=4), live=True)
    return trail, first_segment(trail)


def test_a_line_that_its_successor_denies_is_broken_after_the_anchor() -> None:
    trail, name = after_anchor()
    for at in (20, 21, 22):
        changed = with_lines(trail, name, replaced(at, b"pd", b"dp"))
        report = judged(changed)
        assert (name, at + 1, K.BROKEN_AFTER_ANCHOR) in named(report)
        assert report.exit_code == 6


def test_every_changed_byte_after_the_anchor_is_broken_or_at_least_unanchored() -> None:
    trail, name = after_anchor()
    data = trail.files[name]
    start = sum(map(len, data.splitlines(keepends=True)[:20]))
    last = data.rstrip(b"\n").rfind(b"\n") + 1
    for at, mutant in mutants(data):
        if at >= start:
            report = judged(with_data(trail, name, mutant))
            assert report.exit_code == 6 or at >= last
            assert any(found.file == name and found.line >= 21 for found in report.findings)


def test_a_torn_end_after_the_anchor_is_no_tampering() -> None:
    trail, name = after_anchor()
    data = trail.files[name]
    start = sum(map(len, data.splitlines(keepends=True)[:20]))
    for at in range(start, len(data)):
        report = judged(with_data(trail, name, data[:at]))
        assert report.exit_code == 7
        assert {found.kind for found in report.findings if found.file == name} <= {K.UNANCHORED, K.TORN}


# Files, signatures, numbers, declared rests.


def test_a_deleted_segment_is_missing(sealed: Files) -> None:
    name = first_segment(sealed)
    report = judged(Files({key: data for key, data in sealed.files.items() if key != name}))
    assert named(report) == {(name, 1, K.MISSING_SEGMENT)}
    assert report.exit_code == 6


def test_segments_without_any_checkpoint_fail(sealed: Files) -> None:
    report = judged(Files({key: data for key, data in sealed.files.items() if key != LEDGER}))
    assert (LEDGER, 1, K.MISSING_CHECKPOINTS) in named(report)
    assert report.exit_code == 6


def test_a_segment_that_no_entry_lists_fails(sealed: Files) -> None:
    stranger = Segment("cc" * 16)
    stranger.add(kind="pd.access")
    report = judged(with_data(sealed, stranger.name, stranger.data))
    assert named(report) == {(stranger.name, 1, K.UNLISTED)}


def test_an_empty_segment_that_no_entry_lists_is_only_noted(sealed: Files) -> None:
    report = judged(with_data(sealed, Segment("cc" * 16).name, b""))
    assert [found.kind for found in report.findings] == [K.NEVER_USED]
    assert report.exit_code == 0


def test_an_empty_trail_proves_nothing() -> None:
    report = judged(Files({}))
    assert named(report) == {(LEDGER, 1, K.NOTHING)}
    assert report.exit_code == 7


def test_a_chain_rebuilt_with_another_key_fails() -> None:
    ledger = Ledger(Ed25519PrivateKey.from_private_bytes(b"\x08" * 32))
    segment = Segment("aa" * 16)
    ledger.add("open", segment)
    segment.add(kind="pd.access")
    ledger.add("seal", segment)
    report = judged(files(ledger, [segment]))
    assert (LEDGER, 1, K.SIGNATURE) in named(report)
    assert report.exit_code == 6


def test_lines_rebuilt_after_the_seal_fail(sealed: Files) -> None:
    name = first_segment(sealed)
    forged = Segment(name.split("-")[1])
    for n in range(20):
        forged.add(kind="pd.access", stage="released", route=f"GET /other/{n}")
    assert judged(with_data(sealed, name, forged.data)).exit_code == 6


def test_a_gap_in_the_numbers_of_a_stream_is_named() -> None:
    ledger, segment = Ledger(), Segment("aa" * 16)
    ledger.add("open", segment)
    segment.add(kind="pd.access")
    ledger.numbers[segment.stream] += 1
    ledger.add("seal", segment)
    assert named(judged(files(ledger, [segment]))) == {(LEDGER, 2, K.NUMBERING)}


def test_a_segment_that_does_not_follow_from_the_one_before_is_named() -> None:
    ledger, first = Ledger(), Segment("aa" * 16)
    ledger.add("open", first)
    first.add(kind="pd.access")
    ledger.add("seal", first)
    second = first.next()
    second.head = "ab" * 32
    ledger.add("open", second)
    second.add(kind="pd.access")
    ledger.add("seal", second)
    assert named(judged(files(ledger, [first, second]))) == {(LEDGER, 3, K.NUMBERING)}


def torn_trail(rest: bytes) -> tuple[Files, str]:
    ledger, segment = Ledger(), Segment("aa" * 16)
    ledger.add("open", segment)
    segment.add(kind="pd.access")
    described = {"size": len(b'{"v":1,"str'), "sha256": hashlib.sha256(b'{"v":1,"str').hexdigest()}
    ledger.add("seal", segment, rest=described)
    trail = files(ledger, [segment])
    return with_data(trail, segment.name, segment.data + rest), segment.name


def test_a_torn_rest_is_a_note_once_its_seal_describes_it() -> None:
    trail, name = torn_trail(b'{"v":1,"str')
    report = judged(trail)
    assert named(report) == {(name, 2, K.TORN_DECLARED)}
    assert report.exit_code == 0


@pytest.mark.parametrize(
    ("rest", "kind"), [(b"", K.CUT), (b'{"v":1', K.CUT), (b'{"v":2,"str', K.CHANGED), (b'{"v":1,"stream', K.CHANGED)]
)
def test_a_torn_rest_other_than_the_one_described_fails(rest: bytes, kind: FindingKind) -> None:
    trail, name = torn_trail(rest)
    assert named(judged(trail)) == {(name, 2, kind)}


def test_lines_that_could_not_be_written_are_a_declared_gap() -> None:
    ledger, segment = Ledger(), Segment("aa" * 16)
    ledger.add("open", segment)
    segment.add(kind="pd.access")
    ledger.add("seal", segment, failed=3)
    report = judged(files(ledger, [segment]))
    assert named(report) == {(LEDGER, 2, K.DECLARED_GAP)}
    assert report.exit_code == 7


def test_a_segment_that_was_broken_when_sealed_keeps_failing() -> None:
    ledger, segment = Ledger(), Segment("aa" * 16)
    ledger.add("open", segment)
    segment.add(kind="pd.access")
    ledger.add("seal", segment, broken=True, recovered=True)
    report = judged(files(ledger, [segment]))
    assert named(report) == {(segment.name, 1, K.BROKEN_WHEN_SEALED)}
    assert report.exit_code == 6


@given(st.binary(max_size=400), st.integers(0, 9999), st.integers(0, 300))
def test_whatever_bytes_are_put_in_place_of_others_the_trail_fails_with_a_finding(
    junk: bytes, at: int, length: int
) -> None:
    trail = files(*made(12, every=3))
    for name in (*trail.names(), LEDGER):
        data = trail.files[name]
        start = at % len(data)
        changed = data[:start] + junk + data[start + length :]
        if changed != data:
            report = judged(with_data(trail, name, changed))
            assert report.exit_code in {6, 7}
            assert any(found.line >= 1 for found in report.findings)


def test_verification_needs_a_key(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="key"):
        verify(tmp_path)
