"""Wall time of jobs side by side, worked by hand."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evaluators.plan.simulate import Timed, wall_time


def test_jobs_side_by_side_and_one_behind_another():
    jobs = [Timed("a", 3), Timed("b", 2), Timed("c", 2, ["b"]), Timed("d", 1, ["a", "c"])]
    assert wall_time(jobs, cores=1) == 8
    assert wall_time(jobs, cores=2) == 5  # a beside b and c, then d


def test_a_job_that_asks_for_all_cores_has_them_alone():
    assert wall_time([Timed("a", 3, cores=8), Timed("b", 2)], cores=2) == 5


def test_a_gpu_is_one_jobs_alone_and_leaves_cores_to_others():
    jobs = [Timed(name, 4, gpus=1) for name in "abcd"] + [Timed("e", 4)]
    assert wall_time(jobs, cores=16, gpus=1) == 16
    assert wall_time(jobs, cores=16, gpus=2) == 8
    assert wall_time(jobs, cores=64, gpus=64) == 4


def test_the_longest_chain_starts_first():
    jobs = [Timed("short", 2), Timed("other", 2), Timed("first", 2), Timed("second", 4, ["first"])]
    assert wall_time(jobs, cores=2) == 6


def test_nothing_takes_no_time():
    assert wall_time([], cores=2) == 0


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(1, 9), st.booleans()), min_size=1, max_size=12), st.integers(1, 5))
def test_between_the_bounds_of_graham(drawn, cores):
    jobs = [Timed(n, seconds, [n - 1] if n and waits else []) for n, (seconds, waits) in enumerate(drawn)]
    chains = []
    for job in jobs:
        chains.append(job.seconds + (chains[-1] if job.after else 0))
    least, total = max(max(chains), sum(job.seconds for job in jobs) / cores), sum(job.seconds for job in jobs)
    wall = wall_time(jobs, cores)
    assert least <= wall <= min(total, 2 * least) + 1e-9
