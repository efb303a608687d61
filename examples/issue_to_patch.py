"""From a local git repository and an issue to a patch, stage by stage; everything that a stage finds is printed.

    python examples/issue_to_patch.py path/to/repository issue.md                       # without a language model: the places
    python examples/issue_to_patch.py path/to/repository issue.md --model NAME --base-url http://localhost:8000/v1
    python examples/issue_to_patch.py path/to/repository issue.md --model path/to/folder --revision v1.0

`codefuse-hf fix` does all this in one command. The files are those of the last commit, or of --revision; nothing in the repository is run or
changed, and the patch is for `git apply`.
"""

import argparse
from pathlib import Path

from codefuse_hf.repair import ChatReranker, Locator, ModelChoice, Places, Reader, Repository, Retriever, Rewriter


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository", type=Path)
    parser.add_argument("issue", type=Path, help="a text file, the title on its first line")
    parser.add_argument("--revision", default="HEAD")
    parser.add_argument("--model", help="a chat model: its name on a server, or a folder or .gguf file")
    parser.add_argument("--base-url", help="a server with OpenAI's chat protocol")
    parser.add_argument("--output", type=Path, help="where the patch goes (default: standard output)")
    args = parser.parse_args()
    issue = args.issue.read_text(encoding="utf-8")

    with Repository(args.repository, revision=args.revision) as repository:
        # 1. Where could it be? Words, names, tracebacks, tests and the code graph; no language model.
        locator = Locator(Places.from_graph(repository.graph))
        ranking = locator.locate(issue, files=60, units=60)
        print("Likely files:")
        for file in ranking.files[:5]:
            print(f"  {file.path}: {'; '.join(file.reasons[:2])}")
        if args.model is None:
            return

        # 2. The issue in the words of code.
        model = ModelChoice(args.model, base_url=args.base_url).load()
        rewriting = Rewriter(model).rewrite(issue)
        print(f"The model names: {', '.join(rewriting.entities) or 'nothing'}")

        # 3. The part of the code graph around all that; 4. the few files that are read.
        retrieval = Retriever(repository.graph).retrieve(ranking, rewriting)
        print(f"Subgraph: {len(retrieval.node_ids)} nodes in {len(retrieval.files)} files")
        reranking = ChatReranker(model).rerank(issue, retrieval.files, repository.graph)
        print(f"Read: {', '.join(reranking.paths)}")

        # 5. The change; a CGM would get `graph=retrieval.subgraph(repository.graph)` too.
        repair = Reader(model).read(issue, repository, reranking.paths, units=ranking.units)
    if not repair.patch:
        print(f"No patch: {repair.error}")
    elif args.output is None:
        print(repair.patch, end="")
    else:
        args.output.write_text(repair.patch, encoding="utf-8")
        print(f"The patch is in {args.output}; apply it with `git apply`.")


if __name__ == "__main__":
    main()
