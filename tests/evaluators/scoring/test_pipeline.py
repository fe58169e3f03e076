"""Threads ahead of the device and behind it: order, bounds, errors, and that they end."""

import threading
import time
from collections.abc import Generator

import pytest

from evaluators.scoring.pipeline import Drain, ahead, mapped


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Generator[None, None, None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


def counting(made: list[int], most: int = 100) -> Generator[int, None, None]:
    try:
        for number in range(most):
            made.append(number)
            yield number
    finally:
        made.append(-1)


def made_at_last(made: list[int], count: int) -> list[int]:
    """What was made once there are so many, and a moment later, in which there may be more."""
    while len(made) < count:
        time.sleep(0.001)
    time.sleep(0.05)
    return made


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_mapped_items_come_in_order_whatever_they_take(workers):
    def slow(number: int) -> int:
        time.sleep(0.002 * (number % 3))
        return number * number

    assert [*mapped(slow, range(20), workers)] == [number * number for number in range(20)]


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_of_a_mapped_item_comes_in_its_turn(workers):
    results = mapped(lambda number: 6 // (3 - number), range(9), workers)
    assert [next(results) for _ in range(3)] == [2, 3, 6]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_mapping_is_a_few_items_ahead_only():
    made: list[int] = []
    results = mapped(lambda number: number, counting(made), workers=2)
    next(results)
    assert made == [0, 1, 2, 3]
    results.close()


def test_a_generator_runs_ahead_by_so_many_and_is_closed_in_the_end():
    made: list[int] = []
    with ahead(counting(made), most=3) as items:
        assert made_at_last(made, 3) == [0, 1, 2]
        assert next(items) == 0
        assert made_at_last(made, 4) == [0, 1, 2, 3]
    assert made[-1] == -1


def test_all_items_come_and_then_the_error():
    def failing() -> Generator[int, None, None]:
        yield 1
        yield 2
        raise KeyError("three")

    with ahead(failing(), most=2) as items:
        assert [next(items), next(items)] == [1, 2]
        with pytest.raises(KeyError, match="three"):
            next(items)


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit, ValueError])
def test_an_interrupt_ends_all_threads_and_what_was_put_in_the_drain_is_done(interrupt):
    made: list[int] = []
    done: list[int] = []

    def interrupted() -> None:
        with Drain(2) as drain, ahead(counting(made), most=2) as items:
            for item in items:
                drain.put(lambda item=item: (time.sleep(0.01), done.append(item)))
                if item == 4:
                    raise interrupt

    with pytest.raises(interrupt):
        interrupted()
    assert done == [0, 1, 2, 3, 4]
    assert made[-1] == -1


def test_a_drain_keeps_order_and_bounds_what_waits():
    done: list[int] = []
    gate = threading.Event()
    with Drain(1) as drain:
        drain.put(gate.wait)
        threading.Timer(0.05, gate.set).start()
        for number in range(5):
            drain.put(lambda number=number: done.append(number))
            assert number == 0 or gate.is_set(), "the second has to wait for the first"
    assert done == [0, 1, 2, 3, 4]
    while any(isinstance(thread, threading.Timer) for thread in threading.enumerate()):
        time.sleep(0.01)


def test_what_a_drain_raises_is_raised():
    with pytest.raises(ZeroDivisionError), Drain(2) as drain:
        drain.put(lambda: 1 / 0)
