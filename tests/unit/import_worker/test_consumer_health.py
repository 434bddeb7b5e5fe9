"""Health of the worker's consumer."""

from import_worker.consumer_health import MAX_TURN_SECONDS, ConsumerHealth


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_consumer_whose_loop_stands_still_hangs():
    clock = Clock()
    health = ConsumerHealth(clock)
    health.record_connection()
    clock.now += MAX_TURN_SECONDS - 1
    assert health.find_problem() == ""
    clock.now += 1
    assert health.find_problem() == "consumer hangs"
    health.record_turn()
    assert health.find_problem() == ""


def test_consumer_without_broker_does_not_hang():
    """A restart would not bring the broker back."""
    clock = Clock()
    health = ConsumerHealth(clock)
    assert not health.status.is_ready
    health.record_connection()
    health.record_disconnection()
    clock.now += 10 * MAX_TURN_SECONDS
    assert (health.find_problem(), health.status.is_ready, health.broker.state) == ("", True, "down")
