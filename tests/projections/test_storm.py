"""The storm, run."""

from hypothesis import HealthCheck, settings

from tests.projections.storm import Storm

TestStorm = Storm.TestCase
TestStorm.settings = settings(
    max_examples=150,
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
