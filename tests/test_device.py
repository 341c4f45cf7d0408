"""What is set for this machine."""

from __future__ import annotations

from threadpoolctl import threadpool_info

from tinyagent_mlx import device


def threads() -> set[int]:
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_who_leaves_first_does_not_end_the_limit_of_others_nor_keep_it():
    before = threads()
    first, second = device.one_thread(), device.one_thread()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert threads() <= {1}
    second.__exit__(None, None, None)
    assert threads() == before
