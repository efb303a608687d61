"""Java: files to definitions and facts, facts to edges."""

from __future__ import annotations

from codefuse_hf.graph.languages.base import LanguageDescription, LanguageFrontEnd
from codefuse_hf.modeling.cgm.sentences_cgm import JAVA_SENTENCES, speaks_java


def _front_end() -> LanguageFrontEnd:
    from codefuse_hf.graph.languages.java.front_end import JavaFrontEnd

    return JavaFrontEnd()


LANGUAGE = LanguageDescription(
    name="java",
    suffixes=(".java",),
    front_end=_front_end,
    grammar="java",
    speaks=speaks_java,
    sentences=JAVA_SENTENCES,
    named_by_path=False,
)
