"""Registration: our classes are found wherever transformers looks for its own, and stay ours."""

import shutil
import sys
import textwrap
from pathlib import Path

import pytest
import torch
import transformers
from transformers import Trainer, TrainingArguments, pipeline
from transformers.models.auto import modeling_auto

import codefuse_hf
from codefuse_hf import RodimusConfig, RodimusForSequenceClassification, RodimusTokenizer
from codefuse_hf.families import FAMILIES, load_class
from helpers.models_rodimus import BLOCKS, make_config, make_ids, make_model
from helpers.processes import run_python
from helpers.published_layout import write_published

# A package that takes the model type for classes of its own, as flash-linear-attention does when it is imported.
OTHER_PACKAGE = """
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel

class RodimusConfig(PreTrainedConfig):
    model_type = "rodimus"

class RodimusModel(PreTrainedModel):
    config_class = RodimusConfig

class RodimusForCausalLM(RodimusModel):
    pass

AutoConfig.register("rodimus", RodimusConfig, exist_ok=True)
AutoModel.register(RodimusConfig, RodimusModel, exist_ok=True)
AutoModelForCausalLM.register(RodimusConfig, RodimusForCausalLM, exist_ok=True)
"""

LOAD = """
import sys
import transformers
result = {}
for folder in sys.argv[1:]:
    for trust in (None, False, True):
        for auto in ("AutoConfig", "AutoTokenizer", "AutoModel", "AutoModelForCausalLM"):
            loaded = getattr(transformers, auto).from_pretrained(folder, trust_remote_code=trust)
            result[type(loaded).__name__] = type(loaded).__module__
"""


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> list[Path]:
    """One that we saved, with its code beside it, and one as it was published, which names code that it lacks."""
    saved = tmp_path_factory.mktemp("saved")
    tokenizer = RodimusTokenizer.train_from_iterator(["some text"], 300, show_progress=False)
    make_model(BLOCKS["rodimus"] | {"vocab_size": len(tokenizer)}).save_pretrained(saved)
    tokenizer.save_pretrained(saved)
    published = tmp_path_factory.mktemp("published")
    write_published(published)
    return [saved, published]


@pytest.mark.parametrize(
    "imports",
    [
        "import codefuse_hf, other_package",
        "import other_package, codefuse_hf",
        "import codefuse_hf; from transformers import AutoModel, AutoTokenizer; import other_package",
    ],
)
def test_our_folders_load_beside_a_package_that_registers_the_same_model_type(imports, folders, tmp_path):
    (tmp_path / "other_package.py").write_text(OTHER_PACKAGE)
    result = run_python(f"{imports}\n{LOAD}", *folders, PYTHONPATH=str(tmp_path))
    assert set(result) == {"RodimusConfig", "RodimusTokenizer", "RodimusModel", "RodimusForCausalLM"}
    assert all(module.startswith("codefuse_hf.") for module in result.values()), result


def test_the_other_packages_own_classes_still_work(tmp_path):
    (tmp_path / "other_package.py").write_text(OTHER_PACKAGE.replace("rodimus", "theirs"))
    code = """
import codefuse_hf, other_package
from transformers import AutoConfig
result = type(AutoConfig.for_model("theirs")).__module__
"""
    assert run_python(code, PYTHONPATH=str(tmp_path)) == "other_package"


def test_registering_our_model_type_without_exist_ok_is_an_error():
    with pytest.raises(ValueError, match="rodimus"):
        transformers.AutoConfig.register("rodimus", RodimusConfig)


@pytest.mark.parametrize("model_type", FAMILIES)
def test_name_tables_and_transformers_itself_know_every_class(model_type):
    family = FAMILIES[model_type]
    for path in family.classes:
        assert getattr(sys.modules["transformers"], path.partition(":")[2]) is load_class(path)
    config_class = load_class(family.config)
    for auto_name, path in family.models.items():
        assert getattr(transformers, auto_name)._model_mapping[config_class] is load_class(path)
    if family.processor is not None:
        assert transformers.models.auto.processing_auto.PROCESSOR_MAPPING[config_class] is load_class(family.processor)


def test_tables_by_name():
    assert modeling_auto.MODEL_MAPPING_NAMES["rodimus"] == "RodimusModel"
    assert modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES["rodimus"] == "RodimusForCausalLM"
    assert (
        modeling_auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES["rodimus"] == "RodimusForSequenceClassification"
    )
    assert modeling_auto.MODEL_MAPPING_NAMES["cge"] == "CGEModel"


@pytest.mark.parametrize("block", BLOCKS)
def test_label_smoothing_trains_on_the_next_token(block, tmp_path):
    """Trainer shifts the labels only of models in its table of causal language models."""
    model, ids, smoothing = make_model(BLOCKS[block]), make_ids(2, 9), 0.1
    labels = ids.clone()
    labels[0, :4] = -100
    arguments = TrainingArguments(str(tmp_path), label_smoothing_factor=smoothing, use_cpu=True, report_to="none")
    loss = Trainer(model, arguments).compute_loss(model, {"input_ids": ids, "labels": labels})
    log_probabilities = model(ids).logits[:, :-1].log_softmax(-1)
    targets, counted = labels[:, 1:].clamp(min=0), labels[:, 1:] != -100
    nll = -log_probabilities.gather(-1, targets[..., None])[..., 0][counted].mean()
    smooth = -log_probabilities.mean(-1)[counted].mean()
    torch.testing.assert_close(loss, (1 - smoothing) * nll + smoothing * smooth)


def test_pipelines_support_the_models(folders, caplog):
    """They look the class up among the supported ones, and say so when it is absent."""
    folder = str(folders[0])
    transformers.utils.logging.enable_propagation()
    try:
        text = pipeline("text-generation", model=folder)("some", max_new_tokens=2)[0]["generated_text"]
        assert text.startswith("some")
        tokenizer = RodimusTokenizer.from_pretrained(folder)
        values = make_config(BLOCKS["rodimus"]) | {"vocab_size": len(tokenizer), "pad_token_id": 0}
        classifier = RodimusForSequenceClassification(RodimusConfig(**values))
        assert pipeline("text-classification", model=classifier, tokenizer=tokenizer)("some")[0]["label"]
    finally:
        transformers.utils.logging.disable_propagation()
    assert "not supported" not in caplog.text


# ---- a new family: one entry in families.py, nothing else

TOY = {
    "configuration_toy.py": """
        from transformers import PreTrainedConfig

        class ToyConfig(PreTrainedConfig):
            model_type = "toy-family"
            hidden_size: int = 4
    """,
    "modeling_toy.py": """
        import torch
        from transformers import PreTrainedModel

        from codefuse_hf.kernels.short_convolution import insert_gaps  # noqa: F401 - travels along
        from codefuse_hf.modeling.toy.configuration_toy import ToyConfig

        class ToyModel(PreTrainedModel):
            config_class = ToyConfig

            def __init__(self, config):
                super().__init__(config)
                self.linear = torch.nn.Linear(config.hidden_size, config.hidden_size)
                self.post_init()
    """,
    "processing_toy.py": """
        from transformers import ProcessorMixin

        class ToyProcessor(ProcessorMixin):
            def __init__(self, tokenizer=None, scale=1):
                self.scale = scale
                super().__init__(tokenizer)
    """,
}
ENTRY = """
_TOY = "codefuse_hf.modeling.toy"
FAMILIES["toy-family"] = Family(
    model_type="toy-family",
    config=f"{_TOY}.configuration_toy:ToyConfig",
    models={"AutoModel": f"{_TOY}.modeling_toy:ToyModel"},
    processor=f"{_TOY}.processing_toy:ToyProcessor",
)
"""
SAVE = """
import sys
import codefuse_hf
from transformers import AutoConfig, AutoModel, AutoProcessor, AutoTokenizer
from codefuse_hf.modeling.toy.processing_toy import ToyProcessor
folder, tokenizer = sys.argv[1:]
AutoModel.from_config(AutoConfig.for_model("toy-family")).save_pretrained(folder)
ToyProcessor(AutoTokenizer.from_pretrained(tokenizer), scale=3).save_pretrained(folder)
loaded = AutoProcessor.from_pretrained(folder)
result = [codefuse_hf.__file__, type(loaded).__module__, loaded.scale]
"""
LOAD_ALONE = """
import sys
from transformers import AutoModel, AutoProcessor
model = AutoModel.from_pretrained(sys.argv[1], trust_remote_code=True)
processor = AutoProcessor.from_pretrained(sys.argv[1], trust_remote_code=True)
result = [type(model).__name__, type(processor).__name__, processor.scale]
"""


def test_a_new_family_needs_one_entry_and_nothing_else(folders, tmp_path):
    package = tmp_path / "codefuse_hf"
    installed = Path(codefuse_hf.__file__).parent
    ignore = shutil.ignore_patterns("__pycache__", "default_model")
    shutil.copytree(installed, package, ignore=ignore)
    for name in ("modeling", "kernels"):
        source = Path(sys.modules.get(f"codefuse_hf.{name}").__file__).parent
        shutil.copytree(source, package / name, ignore=ignore, dirs_exist_ok=True)
    toy = package / "modeling" / "toy"
    toy.mkdir()
    (toy / "__init__.py").touch()
    for name, source in TOY.items():
        (toy / name).write_text(textwrap.dedent(source))
    families = package / "families.py"
    families.write_text(families.read_text() + ENTRY)
    saved = tmp_path / "saved"
    where, module, scale = run_python(SAVE, saved, folders[0], PYTHONPATH=str(tmp_path))
    assert Path(where).parent == package
    assert (module, scale) == ("codefuse_hf.modeling.toy.processing_toy", 3)
    files = {path.name for path in saved.glob("*.py")}
    assert {"configuration_toy.py", "modeling_toy.py", "processing_toy.py", "short_convolution.py"} <= files
    assert run_python(LOAD_ALONE, saved, with_package=False) == ["ToyModel", "ToyProcessor", 3]
