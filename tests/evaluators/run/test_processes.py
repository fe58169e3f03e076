"""Processes of a job, as Snakemake counts them: the first, and one more for each retry."""

import pytest

from evaluators.run.processes import retries, told_attempt


def told(deaths: int, on_cluster: bool) -> list[int]:
    """What all processes of a job are told that die one after the other."""
    return [told_attempt(1 + number, on_cluster) for number in range(1 + retries(deaths, on_cluster))]


def test_on_one_machine_the_process_after_the_last_possible_death_says_why_and_none_follows():
    assert told(1, on_cluster=False) == [1, 2]
    assert told(2, on_cluster=False) == [1, 2, 3]


@pytest.mark.parametrize("deaths", [1, 2, 9])
def test_on_a_cluster_a_first_death_counts_nothing_and_two_processes_have_more_memory(deaths):
    assert told(deaths, on_cluster=True)[:2] == [1, 1]
    assert told(deaths, on_cluster=True)[-1] >= told(deaths, on_cluster=False)[-1]
    assert len(told(deaths, on_cluster=True)) > len(["as planned", "twice as much", "four times as much"])
