"""Java: files to definitions and facts, facts to edges."""

from __future__ import annotations

from codefuse_hf.graph.languages.base import LanguageDescription, LanguageFrontEnd
from codefuse_hf.modeling.cgm.sentences_cgm import JAVA_SENTENCES, speaks_java


def _front_end() -> LanguageFrontEnd:
    from codefuse_hf.graph.languages.java.front_end import JavaFrontEnd

    return JavaFrontEnd()


_KEYWORDS = """
    abstract assert boolean break byte case catch char class continue default do double else enum extends final
    finally float for if implements import instanceof int interface long native new null package private protected
    public record return short static super switch synchronized this throw throws transient true false try var
    void volatile while yield
"""

LANGUAGE = LanguageDescription(
    name="java",
    suffixes=(".java",),
    front_end=_front_end,
    grammar="java",
    metadata=("pom.xml", "build.gradle", "build.gradle.kts"),
    speaks=speaks_java,
    sentences=JAVA_SENTENCES,
    named_by_path=False,
    keywords=tuple(_KEYWORDS.split()),
)
