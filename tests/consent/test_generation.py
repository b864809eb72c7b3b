"""The number that workers share."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from troth.consent.generation import Generation
from troth.errors import HomeError
from troth.home import Home


@contextlib.contextmanager
def no_lock() -> Iterator[None]:
    yield


def test_write_is_odd_while_it_lasts_and_new_and_even_after(home: Home) -> None:
    writer, reader = (Generation.open(home.generation, home.lock) for _ in range(2))
    before = reader.read()
    with writer.writing():
        assert reader.read() % 2 == 1
    assert reader.read() % 2 == 0
    assert reader.read() > before


def test_write_that_fails_is_closed_too(home: Home) -> None:
    generation = Generation.open(home.generation, home.lock)
    with pytest.raises(KeyError), generation.writing():
        raise KeyError
    assert generation.read() == 2


class Dying(Generation):
    __slots__ = ()

    def _announce(self, value: int) -> None:
        """Die before anything is announced."""


def test_number_left_odd_is_closed_by_the_next_writer(home: Home) -> None:
    with Dying.open(home.generation, home.lock).writing():
        pass
    generation = Generation.open(home.generation, home.lock)
    assert generation.read() == 1
    with generation.writing():
        assert generation.read() == 1
    assert generation.read() == 2


def test_number_left_odd_can_be_closed_without_a_write(home: Home) -> None:
    with Dying.open(home.generation, home.lock).writing():
        pass
    generation = Generation.open(home.generation, home.lock)
    generation.close_left_open()
    generation.close_left_open()
    assert generation.read() == 2


def test_opening_keeps_the_number_and_never_cuts_the_file(home: Home) -> None:
    first = Generation.open(home.generation, home.lock)
    with first.writing():
        inode = home.generation.stat().st_ino
        Generation.open(home.generation, home.lock)
    assert Generation.open(home.generation, home.lock).read() == 2
    assert home.generation.stat().st_ino == inode
    assert home.generation.stat().st_size == 8


def test_file_of_another_length_is_refused(tmp_path: Path) -> None:
    (tmp_path / "generation").write_bytes(b"abc")
    with pytest.raises(HomeError, match="eight bytes"):
        Generation.open(tmp_path / "generation", no_lock)
