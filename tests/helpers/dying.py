"""Work for a process pool whose worker dies; in a module that the pool's processes can import too."""

import os

from codefuse_hf.repair import swebench


def dies_on_1(task, instance):
    """Stands for a process that the system kills."""
    if instance.instance_id.endswith("-1"):
        os._exit(9)
    return swebench.predict_one(task, instance)
