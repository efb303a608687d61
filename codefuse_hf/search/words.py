"""Words of issues and of code, in one form for both, so that "resolving redirects" finds `resolve_redirects`."""

import re
from collections import Counter

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_ENDINGS = (
    ("ings", ""),
    ("ing", ""),
    ("ies", "y"),
    ("ied", "y"),
    ("edly", ""),
    ("ed", ""),
    ("es", ""),
    ("s", ""),
    ("ly", ""),
)
# Words that say nothing about where a fault lies: English function words, and the keywords that every file has.
_STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        """a about after all also am an and any are as at be because been before being but by can class could
        def did do does else even for from get gets got had has have here how i if import in into is it its
        just like me more my new no none not of on one only or other our out over py python return same see
        self should so some than that the their then there they this to true false two under up us use used
        using very via was we were what when where which who why will with would you your""",
    )
)


def stem(word: str) -> str:
    """Strip a lower-case English word of its commonest endings: the same form for "formatting", "formatted" and "formats".

    Words of up to four letters stay as they are, and so do four letters that are left with a doubled one ("mapping" becomes
    "mapp"). Shortening these too put fewer of the 151 answers to questions for development among the first five
    (`benchmarks/search_quality.py`, words alone: 102 now, 101 without the doubled letters, 97 with short words shortened too).
    """
    if len(word) <= 4:
        return word
    for ending, instead in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)] + instead
            break
    if len(word) > 4 and word[-1] == word[-2] and word[-1] not in "ls":
        word = word[:-1]
    if len(word) > 4 and word.endswith("ie"):
        return word[:-2] + "y"  # "cookie", as "cookies" above
    return word[:-1] if len(word) > 3 and word.endswith("e") else word


def count_words(text: str) -> Counter[str]:
    """Count the words of a text: stems of the parts of its identifiers, and each compound identifier whole, as "=name"."""
    counts: Counter[str] = Counter()
    for identifier in IDENTIFIER.findall(text):
        parts = [part.lower() for part in _PART.findall(identifier)]
        if len(parts) > 1:
            counts["=" + identifier.lower().strip("_")] += 1
        for part in parts:
            if len(part) > 1 and part not in _STOP_WORDS:
                counts[stem(part)] += 1
    return counts


def looks_like_code(identifier: str) -> bool:
    """Tell whether a word of prose can only be a name in code: it has an underscore inside or a capital after a small letter."""
    return "_" in identifier.strip("_") or re.search(r"[a-z][A-Z]", identifier) is not None
