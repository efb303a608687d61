"""transformers' own OpenAI-compatible server, which finds the classes of this project and keeps their states."""

import functools
from pathlib import Path

import transformers

from ..families import FAMILIES, load_class
from .prompt_states import PromptStates, generate_from_states


class Server:
    """Serves one model at `/v1/chat/completions`, `/v1/completions` and `/v1/responses`, streaming or not.

    The server is that of `transformers serve`. It looks for a model's class among transformers' own, so custom models
    fail there; here the classes of this package are put where it looks. The states of a conversation are kept between its
    turns (see `PromptStates`).

    Args:
        model: Folder or repository of a causal language model.
        host: Address to listen on. Whoever reaches it may use the model: there are no keys.
        port: Port to listen on.
        states: States kept between requests; 0 reads each prompt from its start.
        options: Further options of `transformers serve`, by their names there.

    Raises:
        ImportError: what the server needs is not installed (`pip install "codefuse-hf[serve]"`).
        OSError: there is no such model.
    """

    def __init__(self, model: str | Path, host: str = "localhost", port: int = 8000, states: int = 16, **options):
        self.model, self.states = str(model), PromptStates(states)
        if "@" in self.model and Path(self.model).exists():
            raise ValueError(f"{model}: transformers' server takes what follows an @ for a revision; rename the folder")
        serve = _transformers_server()
        _show_classes_to_transformers()
        self._serve = serve(force_model=self.model, host=host, port=port, non_blocking=True, **options)
        self.manager = manager = self._serve._model_manager
        for loaded in manager.loaded_models.values():
            loaded.model.generate = functools.partial(generate_from_states, loaded.model, self.states)
        manager.get_gen_models = lambda: [{"id": self.model, "object": "model", "owned_by": "", "created": 0}]

    def run(self) -> None:
        """Serve until interrupted."""
        self._serve.server.run()

    def start(self) -> None:
        """Serve in a thread of its own, until `stop`."""
        super(type(self._serve), self._serve).start_server()

    def stop(self) -> None:
        """End what `start` began."""
        self._serve.kill_server()


def _transformers_server() -> type:
    """transformers' server as a class that does not start before the model is ready for it."""
    try:
        from transformers.cli.serve import Serve
        from transformers.utils.import_utils import is_serve_available
    except ImportError as error:
        raise ImportError(
            f"this version of transformers ({transformers.__version__}) has no server: {error}"
        ) from error
    if not is_serve_available():
        raise ImportError('the server needs FastAPI, uvicorn and openai: pip install "codefuse-hf[serve]"')

    class DeferredServe(Serve):
        def start_server(self) -> None:
            pass

    return DeferredServe


def _show_classes_to_transformers() -> None:
    """Make this package's model classes attributes of transformers, in this process."""
    for family in FAMILIES.values():
        for path in family.classes:
            name = path.rpartition(":")[2]
            if not hasattr(transformers, name):
                setattr(transformers, name, load_class(path))
