from .bottom import Thing

__all__ = ["Thing"]
