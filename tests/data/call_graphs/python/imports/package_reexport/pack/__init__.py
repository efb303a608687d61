from .inner import work
