"""The instructions of CGE, per language and side."""

LANGUAGES = {
    "python": "Python",
    "java": "Java",
    "go": "Go",
    "cpp": "C++",
    "javascript": "Javascript",
    "php": "PHP",
    "ruby": "Ruby",
}


def code_search_prompts() -> dict[str, str]:
    """Name → instruction, for both sides: `query` and `document` without a language, and `<language>-query` and
    `<language>-document` for each language that the published checkpoints know."""
    prompts = {"query": "Retrieve the code that solves the following query:", "document": "Code:"}
    for key, language in LANGUAGES.items():
        prompts[f"{key}-query"] = f"Retrieve the {language} code that solves the following query:"
        prompts[f"{key}-document"] = f"{language} code:"
    return prompts


__all__ = ["LANGUAGES", "code_search_prompts"]
