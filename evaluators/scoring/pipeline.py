"""Work ahead of the device and behind it: in threads that keep the order, in bounded memory, and that always end."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from queue import SimpleQueue
from threading import Semaphore, Thread
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


def mapped(function: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[R]:
    """``map(function, items)``, in order, by some threads that are at most two items each ahead.

    Whatever the function raises is raised here in its turn. Threads end when the iterator does, or is closed.

    Args:
        function: called in several threads at once.
        items: what it is given.
        workers: number of threads; 0: it is called in this one.
    """
    if not workers:
        yield from map(function, items)
        return
    pending: deque[Future[R]] = deque()
    with ThreadPoolExecutor(workers, "read") as pool:
        try:
            for item in items:
                pending.append(pool.submit(function, item))
                if len(pending) >= 2 * workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


class _End(Generic[T]):
    """What comes behind the last item: what the iterator raised, if it did."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


@contextmanager
def ahead(items: Generator[T, None, None], most: int) -> Iterator[Iterator[T]]:
    """The items of a generator that runs in a thread of its own, ahead of who takes them.

    What it raises is raised where its next item is taken. The thread has ended when the block has, whatever ends it: a
    generator that waits for room is closed at once, one at work when it has finished its item.

    Args:
        items: run and closed in that thread.
        most: so many items exist at most that nobody has taken: one being made, the others waiting.
    """
    room, made = Semaphore(most), SimpleQueue[T | _End[T]]()
    is_left = False

    def make() -> None:
        try:
            with closing(items):
                while room.acquire() and not is_left:
                    made.put(next(items))
        except StopIteration:
            made.put(_End())
        except BaseException as error:  # raised again where it is waited for
            made.put(_End(error))

    def taken() -> Iterator[T]:
        while not isinstance(item := made.get(), _End):
            room.release()
            yield item
        if item.error is not None:
            raise item.error

    thread = Thread(target=make, name="ahead", daemon=True)
    thread.start()
    try:
        yield taken()
    finally:
        is_left = True
        room.release()
        thread.join()


class Drain:
    """A thread that finishes what the device has begun, in order; what is put there is done when its block ends.

    Attributes:
        most: so many pieces of work wait at most; :meth:`put` waits for the first of them.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._pool = ThreadPoolExecutor(1, "drain")
        self._pending: deque[Future[object]] = deque()

    def __enter__(self) -> "Drain":
        return self

    def put(self, work: Callable[[], object]) -> None:
        """Have a piece of work done behind the others.

        Raises:
            BaseException: what an earlier piece raised.
        """
        self._pending.append(self._pool.submit(work))
        if len(self._pending) > self.most:
            self._pending.popleft().result()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._pool.shutdown()
        if kind is None:
            for work in self._pending:
                work.result()
