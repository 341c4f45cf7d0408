from __future__ import annotations

import threading

from tinyagent_mlx.sessions import Session, is_running


def test_a_session_runs_until_it_is_closed(tmp_path):
    session = Session(tmp_path / "live")
    assert is_running(tmp_path / "live", session.name)
    session.close()
    session.close()
    assert not is_running(tmp_path / "live", session.name)
    assert not list((tmp_path / "live").iterdir())


def test_a_session_that_never_was_does_not_run(tmp_path):
    assert not is_running(tmp_path / "nowhere", "x")


def test_what_dead_programs_left_is_swept_away_and_the_living_are_not(tmp_path):
    (tmp_path / "dead").touch()
    one, two = Session(tmp_path), Session(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {one.name, two.name}
    assert is_running(tmp_path, one.name)


def test_sessions_that_begin_together_do_not_sweep_one_another_away(tmp_path):
    begun: list[Session] = []

    def begin() -> None:
        begun.extend(Session(tmp_path) for _ in range(20))

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(begun) == 160
    assert all(is_running(tmp_path, session.name) for session in begun)
