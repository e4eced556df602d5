"""What holds for every test."""

from hypothesis import HealthCheck, settings

# how fast a machine draws and runs examples says nothing of the code: a busy one must not fail a run
settings.register_profile("uplog", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("uplog")
