from local.trigger_platform.queues import RunQueues


def queues(max_executing: int = 10, **limits: int | None) -> RunQueues:
    made = RunQueues(max_executing)
    made.set_limits(limits)
    return made


def test_runs_go_in_the_order_of_their_score() -> None:
    made = queues()
    made.enqueue("late", "a", None, 3)
    made.enqueue("first", "b", None, 1)
    made.enqueue("second", "a", None, 2)
    assert [made.take() for _ in range(4)] == ["first", "second", "late", None]


def test_equal_scores_keep_the_order_of_arrival() -> None:
    made = queues()
    for name in ("x", "y", "z"):
        made.enqueue(name, "a", None, 1)
    assert [made.take() for _ in range(3)] == ["x", "y", "z"]


def test_a_queue_at_its_limit_does_not_hold_up_another() -> None:
    made = queues(narrow=1)
    made.enqueue("one", "narrow", None, 1)
    made.enqueue("two", "narrow", None, 2)
    made.enqueue("other", "wide", None, 3)
    assert [made.take() for _ in range(3)] == ["one", "other", None]
    made.release("one")
    assert made.take() == "two"


def test_the_limit_of_a_queue_applies_to_each_concurrency_key() -> None:
    made = queues(narrow=1)
    made.enqueue("a1", "narrow", "a", 1)
    made.enqueue("a2", "narrow", "a", 2)
    made.enqueue("b1", "narrow", "b", 3)
    assert [made.take() for _ in range(3)] == ["a1", "b1", None]


def test_no_more_runs_execute_than_the_environment_allows() -> None:
    made = queues(max_executing=1)
    made.enqueue("one", "a", None, 1)
    made.enqueue("two", "b", None, 2)
    assert [made.take(), made.take()] == ["one", None]
    made.release("one")
    assert made.take() == "two"


def test_a_removed_run_is_not_taken() -> None:
    made = queues()
    made.enqueue("gone", "a", None, 1)
    made.enqueue("stays", "a", None, 2)
    made.remove("gone")
    assert [made.take(), made.take()] == ["stays", None]


def test_a_run_that_was_queued_again_is_taken_once() -> None:
    made = queues()
    made.enqueue("run", "a", None, 1)
    made.remove("run")
    made.enqueue("run", "a", None, 2)
    assert [made.take(), made.take()] == ["run", None]


def test_releasing_twice_frees_one_slot() -> None:
    made = queues(narrow=2)
    for score, name in enumerate(("one", "two", "three", "four")):
        made.enqueue(name, "narrow", None, score)
    assert [made.take(), made.take()] == ["one", "two"]
    made.release("one")
    made.release("one")
    assert [made.take(), made.take()] == ["three", None]


def test_a_run_that_resumes_goes_before_new_ones() -> None:
    made = queues(narrow=1)
    made.enqueue("parent", "narrow", None, 1)
    made.enqueue("next", "narrow", None, 2)
    made.enqueue("new", "narrow", None, 0)
    assert made.take() == "new"
    made.release("new")
    assert made.take() == "parent"
    made.release("parent")
    assert made.take() == "next"
    assert not made.reacquire("parent", "narrow", None)
    assert made.take_resumable() == []
    made.release("next")
    assert made.take_resumable() == ["parent"]
    assert made.holds_slot("parent")


def test_a_run_resumes_at_once_when_its_queue_has_room() -> None:
    made = queues(narrow=1)
    assert made.reacquire("parent", "narrow", None)
    assert made.holds_slot("parent")


def test_a_limit_of_zero_pauses_the_queue() -> None:
    made = queues(paused=0)
    made.enqueue("run", "paused", None, 1)
    assert made.take() is None
    made.set_limits({"paused": None})
    assert made.take() == "run"
