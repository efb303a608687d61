"""Markers that transformers' common tests carry."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    names = ["accelerate_tests", "torch_compile_test", "is_training_test", "is_fsdp_test", "order"]
    names += ["flash_attn_test", "flash_attn_3_test", "flash_attn_4_test"]
    for name in names:
        config.addinivalue_line("markers", f"{name}: transformers' own mark")
