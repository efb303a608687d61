"""The Space: codefuse-hf's demo with a published checkpoint. Runs on a CPU; change the names to show models of your own."""

from codefuse_hf.demo.app import build_app, launch

# None for a tab without a model. A CGM needs a large machine: the published one has 72B parameters.
LANGUAGE_MODEL = "codefuse-ai/Rodimus-Plus-Coder-1.6B-Base"
GRAPH_MODEL = None

if __name__ == "__main__":
    launch(build_app(LANGUAGE_MODEL, GRAPH_MODEL))
