"""Which files are tests."""

import re

_TEST_FOLDERS = frozenset(("test", "tests", "testing", "__tests__", "spec"))
_TEST_NAME = re.compile(r"(?:^|/)(?:test_[^/]*|[^/]*_test|conftest|[^/]*Tests?|[^/]*\.(?:test|spec))\.\w+$")


def is_test(path: str) -> bool:
    """Tell whether a file is a test by its folders and name, in the habits of Python, Java and JavaScript."""
    return bool(_TEST_FOLDERS.intersection(path.split("/")[:-1]) or _TEST_NAME.search(path))
