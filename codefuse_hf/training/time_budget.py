"""Training for a given time instead of a given number of steps."""

import time

import torch
from tqdm.auto import tqdm
from transformers import TrainerCallback


class TimeBudget(TrainerCallback):
    """Stops `Trainer` after so many seconds, with a learning-rate schedule that follows the clock, and a progress bar.

    Args:
        seconds: wall-clock time for the training loop, counted from its first step.
        warmup_steps: steps over which the learning rate rises to its peak; from there on it falls linearly with time.
        final_factor: fraction of the peak learning rate that is left at the end.

    Pass it as a callback, and `optimizers=(optimizer, budget.scheduler(optimizer))`. Give `TrainingArguments` a
    `max_steps` that the time never suffices for.
    """

    def __init__(self, seconds: float, warmup_steps: int = 20, final_factor: float = 0.05):
        if seconds <= 0:
            raise ValueError(f"the time for training must be positive, got {seconds:g} seconds")
        self.seconds = seconds
        self.warmup_steps = warmup_steps
        self.final_factor = final_factor
        self.steps = 0
        self.started: float | None = None
        self.bar: tqdm | None = None

    @property
    def elapsed(self) -> float:
        """Seconds since training began; 0 before that."""
        return 0.0 if self.started is None else time.monotonic() - self.started

    def scheduler(self, optimizer: torch.optim.Optimizer) -> torch.optim.lr_scheduler.LambdaLR:
        """Return the learning-rate schedule of this budget for `optimizer`."""
        return torch.optim.lr_scheduler.LambdaLR(optimizer, self._factor)

    def _factor(self, step: int) -> float:
        warmup = min((step + 1) / (self.warmup_steps + 1), 1.0)
        left = max(1.0 - self.elapsed / self.seconds, 0.0)
        return warmup * (self.final_factor + (1.0 - self.final_factor) * left)

    def on_train_begin(self, args, state, control, **kwargs):
        """Start the clock and the progress bar."""
        self.started = time.monotonic()
        bar_format = "{desc}: {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} s{postfix}"
        self.bar = tqdm(total=self.seconds, desc="training", bar_format=bar_format)

    def on_step_end(self, args, state, control, **kwargs):
        """End training when the time is over."""
        self.steps = state.global_step
        elapsed = min(self.elapsed, self.seconds)
        self.bar.update(elapsed - self.bar.n)
        if elapsed >= self.seconds:
            control.should_training_stop = True

    def on_log(self, args, state, control, logs=None, **kwargs):
        """Show the loss beside the progress bar."""
        if self.bar is not None and logs and "loss" in logs:
            self.bar.set_postfix_str(f"step {state.global_step}, loss {float(logs['loss']):.2f}")

    def on_train_end(self, args, state, control, **kwargs):
        """Close the progress bar."""
        self.bar.close()
