try:
    from missing_module_for_sure import work
except ImportError:
    from helper import work

work()
