"""The instructions of CGE, per language and side, and those of C2LLM, per task."""

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


# Task, by its name in MTEB → C2LLM's instruction for its queries.
C2LLM_TASKS = {
    "CodeSearchNetRetrieval": "Retrieve the code that solves the following query:",
    "CodeEditSearchRetrieval": "Retrieve the diff code that relevant the following query:",
    "CosQA": "Given a query from a web search, retrieve code that is helpful in addressing the query.",
    "AppsRetrieval": (
        "Given a problem description from a programming contest, retrieve code examples that can assist in solving it."
    ),
    "StackOverflowQA": (
        "Given a question combining text and code, retrieve relevant answers that also contain both text and code snippets "
        "and can address the question."
    ),
    "SyntheticText2SQL": (
        "Given a natural language question, retrieve SQL queries that serve as appropriate responses."
    ),
    "CodeFeedbackST": (
        "Given a single-turn question composed of text and code, retrieve suitable answers that also mix text and code to "
        "provide helpful feedback."
    ),
    "CodeFeedbackMT": (
        "Given a multi-turn conversation history that includes both text and code, retrieve relevant multi-modal answers "
        "composed of text and code that address the ongoing discussion."
    ),
    "CodeSearchNetCCRetrieval": (
        "Given an initial code segment, retrieve the subsequent segment that continues the code."
    ),
    "CodeTransOceanContest": (
        "Given a Python code snippet, retrieve its semantically equivalent version written in C++."
    ),
    "COIRCodeSearchNetRetrieval": (
        "Given a code snippet, retrieve its corresponding document string that summarizes its functionality."
    ),
}


def c2llm_prompts() -> dict[str, str]:
    """Name → instruction of C2LLM: `query` (code search) and `document`, and `<task>-query` for each task of MTEB-Code, under
    the name by which MTEB looks for it. An instruction for queries ends in a line feed."""
    prompts = {"query": f"{C2LLM_TASKS['CodeSearchNetRetrieval']}\n", "document": "Retrieved Answer:"}
    return prompts | {f"{task}-query": f"{instruction}\n" for task, instruction in C2LLM_TASKS.items()}


__all__ = ["C2LLM_TASKS", "LANGUAGES", "c2llm_prompts", "code_search_prompts"]
