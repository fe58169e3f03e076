"""A job whose process dies has another one: how many, and what each is told.

On one machine a death is the job's own: the second process says why there is no result. A cluster ends what takes more
time or memory than it asked for, which says nothing of the job: there the second one is given more and goes on.
"""


def retries(deaths: int, on_cluster: bool) -> int:
    """How many processes may follow a job's first one.

    Args:
        deaths: how many processes may die before the one that says why there is no result; at least 1. A score job's
            first one may be killed by what it takes along, its second one by what it is for.
        on_cluster: two are given more, and what the job dies of is known one process later.
    """
    return max(deaths + 1, 3) if on_cluster else deaths


def told_attempt(attempt: int, on_cluster: bool) -> int:
    """What a job is told of its processes that died: 2 is the one that has to say why.

    Args:
        attempt: 1 for the job's first process, and so on.
        on_cluster: a first death counts nothing.
    """
    return max(1, attempt - 1) if on_cluster else attempt
