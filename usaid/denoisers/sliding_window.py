"""Where the patches of an image lie: what the methods that work on patches share."""


def starts_of_patches(size: int, patch: int, step: int) -> list[int]:
    """First pixels of the patches that cover one side of an image: every ``step``-th, and the last possible one."""
    last = size - patch
    return [*range(0, last, step), last]
