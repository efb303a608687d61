from registry import registry

registry.add()
