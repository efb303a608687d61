"""Training for a given time."""

import time
from types import SimpleNamespace

import pytest
import torch
from transformers import TrainerControl

from codefuse_hf.training import time_budget
from codefuse_hf.training.time_budget import TimeBudget


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(time=100.0)
    monkeypatch.setattr(time_budget.time, "monotonic", lambda: now.time)
    return now


def test_training_stops_when_the_time_is_over(clock):
    budget, control = TimeBudget(10.0), TrainerControl()
    budget.on_train_begin(None, None, control)
    clock.time += 9.9
    budget.on_step_end(None, SimpleNamespace(global_step=1), control)
    assert not control.should_training_stop
    clock.time += 0.2
    budget.on_step_end(None, SimpleNamespace(global_step=2), control)
    assert control.should_training_stop
    assert budget.steps == 2


def test_learning_rate_rises_by_steps_and_falls_with_time(clock):
    budget = TimeBudget(10.0, warmup_steps=3, final_factor=0.1)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = budget.scheduler(optimizer)
    rates = [scheduler.get_last_lr()[0]]
    budget.on_train_begin(None, None, None)
    for elapsed in (0.0, 0.0, 0.0, 5.0, 5.0, 50.0):
        clock.time += elapsed
        optimizer.step()
        scheduler.step()
        rates.append(scheduler.get_last_lr()[0])
    assert rates == pytest.approx([0.25, 0.5, 0.75, 1.0, 0.55, 0.1, 0.1])


@pytest.mark.parametrize("seconds", [0, -1.0])
def test_no_time_is_refused(seconds):
    with pytest.raises(ValueError, match="positive"):
        TimeBudget(seconds)


def test_clock_runs_only_from_the_first_step():
    budget = TimeBudget(1.0)
    time.sleep(0.01)
    assert budget.elapsed == 0.0
