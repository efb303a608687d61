"""From records to a tuned CGM: the collator, `Trainer` with LoRA, and a quantised language model."""

import functools

import pytest
import torch
from torch.testing import assert_close
from transformers import BertModel, BitsAndBytesConfig, TorchAoConfig, Trainer, TrainingArguments

from codefuse_hf import CGMForCausalLM, CGMProcessor, NodeEmbeddingCache
from codefuse_hf.graph import CodeGraph
from codefuse_hf.training.cgm_collator import CGMRecordCollator, tokenize_records
from codefuse_hf.training.cgm_records import records_dataset
from helpers.corpus_cgm import RECIPE, write_repository
from helpers.models_cgm import bert_config, text_config, tiny, tiny_with_encoder, word_tokenizer

LORA = {
    "r": 4,
    "lora_alpha": 8,
    "target_modules": ["q_proj", "v_proj", "gate_proj", "query", "value"],
    "modules_to_save": ["adapter"],
    "task_type": "CAUSAL_LM",
}


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    made = records_dataset(RECIPE(str(write_repository(tmp_path_factory.mktemp("repository"), modules=6))))
    assert {"reconstruction", "calls", "file_of_base"} <= set(made["task"])
    return made


def make_processor(**changes):
    return CGMProcessor(word_tokenizer(**changes), word_tokenizer(60), segment_length=32, max_segments_per_node=2)


def make_model(seed=0):
    return tiny_with_encoder(seed, text=text_config(max_position_embeddings=2048))


def test_a_batch_of_records_is_what_the_processor_makes(records):
    processor = make_processor()
    collator = CGMRecordCollator(processor)
    rows = [records[0], records[len(records) - 1]]
    batch = collator(rows)
    graphs = [CodeGraph.from_json(row["graph"]) for row in rows]
    expected = processor(text=[row["prompt"] for row in rows], graph=graphs, answer=[row["answer"] for row in rows])
    assert set(batch) == {*expected, "logits_to_keep"}
    for name, value in expected.items():
        assert torch.equal(batch[name], value), name
    loss = make_model()(**batch).loss
    assert torch.isfinite(loss) and torch.equal(make_model()(**expected).loss, loss)


def test_tokenising_ahead_in_two_processes_changes_nothing(records):
    collator = CGMRecordCollator(make_processor())
    ahead = tokenize_records(records, collator, num_proc=2)
    batch = collator.processor.collate([ahead[index] for index in (1, 0, 3)])
    for name, value in collator([records[index] for index in (1, 0, 3)]).items():
        assert torch.equal(torch.as_tensor(batch[name]), torch.as_tensor(value)), name


def test_vectors_of_nodes_from_a_cache(records, tmp_path):
    model = make_model()
    cache = NodeEmbeddingCache(tmp_path, model.encoder_fingerprint())
    processor = make_processor()
    collator = CGMRecordCollator(processor, encode=functools.partial(model.encode_segments, cache=cache))
    batch = collator([records[0], records[1]])
    assert "node_input_ids" not in batch and len(cache) > 0
    assert_close(model(**batch).loss, model(**CGMRecordCollator(processor)([records[0], records[1]])).loss)


def test_prompts_are_shortened_inside_the_chat_template(records):
    processor = make_processor(chat=True)
    collator = CGMRecordCollator(processor, max_prompt_tokens=10)
    example = collator.example(records[0])
    text = processor.tokenizer.decode(
        [t for t, label in zip(example["input_ids"], example["labels"], strict=True) if label == -100]
    )
    assert text == f"[user]{records[0]['prompt'][:10]}[assistant]"
    plain = CGMRecordCollator(processor, chat=False).example(records[0])
    assert plain["input_ids"][: len(records[0]["prompt"])] == processor.tokenizer(records[0]["prompt"])["input_ids"]
    with pytest.raises(ValueError, match="chat template"):
        CGMRecordCollator(make_processor(), chat=True)


def test_a_record_without_graph_is_named(records):
    with pytest.raises(ValueError, match=r"task 'calls' from 'shop9' cannot be read"):
        CGMRecordCollator(make_processor())([{**records[0], "graph": "{", "task": "calls", "repository": "shop9"}])


def make_trainer(folder, model, records, **settings):
    arguments = TrainingArguments(
        str(folder),
        per_device_train_batch_size=4,
        learning_rate=2e-2,
        logging_steps=1,
        use_cpu=True,
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        **{"max_steps": 12, "save_strategy": "no", **settings},
    )
    return Trainer(model, arguments, train_dataset=records, data_collator=CGMRecordCollator(make_processor()))


def losses(trainer):
    return [float(entry["loss"]) for entry in trainer.state.log_history if "loss" in entry]


def test_trainer_with_lora_and_the_whole_adapter_on_records(records, tmp_path):
    """The adapter of the model is trained and saved whole; a loaded one says the same; a run goes on where it was."""
    peft = pytest.importorskip("peft")
    short = records.filter(lambda record: record["task"] != "reconstruction")
    settings = {"save_strategy": "steps", "save_steps": 6}
    trainer = make_trainer(
        tmp_path / "run", peft.get_peft_model(make_model(), peft.LoraConfig(**LORA)), short, **settings
    )
    before = trainer.model.get_base_model().adapter.fc1.weight.clone()
    trainer.train()
    assert sum(losses(trainer)[-3:]) < 0.9 * sum(losses(trainer)[:3])
    assert not torch.equal(trainer.model.get_base_model().adapter.fc1.weight, before)
    again = make_trainer(
        tmp_path / "run", peft.get_peft_model(make_model(), peft.LoraConfig(**LORA)), short, **settings
    )
    again.train(resume_from_checkpoint=str(tmp_path / "run" / "checkpoint-6"))
    assert losses(again)[-1] == pytest.approx(losses(trainer)[-1], rel=1e-3)
    trainer.save_model(str(tmp_path / "tuned"))
    loaded = peft.PeftModel.from_pretrained(make_model(), tmp_path / "tuned").eval()
    batch = trainer.data_collator([short[0], short[1]])
    assert_close(loaded(**batch).loss, trainer.model.eval()(**batch).loss, atol=1e-5, rtol=1e-5)


def quantised(kind, folder):
    """A CGM with a quantised language model, made of a folder."""
    if kind == "bitsandbytes":
        pytest.importorskip("bitsandbytes")
        config = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_compute_dtype=torch.float32)
    else:
        torchao = pytest.importorskip("torchao.quantization")
        config = TorchAoConfig(torchao.Int8WeightOnlyConfig())
    text = text_config(hidden_size=64, intermediate_size=128, max_position_embeddings=2048)
    tiny(text=text).lm.save_pretrained(folder)
    return CGMForCausalLM.from_base(
        str(folder), BertModel(bert_config()), adapter_hidden_dim=16, lm_kwargs={"quantization_config": config}
    )


@pytest.mark.parametrize("kind", ["bitsandbytes", "torchao"])
def test_lora_on_a_quantised_language_model(kind, records, tmp_path):
    peft = pytest.importorskip("peft")
    model = quantised(kind, tmp_path / "lm")
    weight = model.lm.model.layers[0].self_attn.q_proj.weight
    assert type(weight) is not torch.nn.Parameter or not weight.is_floating_point(), "the language model is quantised"
    assert model.adapter.fc1.weight.dtype == torch.float32
    short = records.filter(lambda record: record["task"] == "calls")
    trainer = make_trainer(tmp_path / "run", peft.get_peft_model(model, peft.LoraConfig(**LORA)), short, max_steps=6)
    start = {name: p.detach().clone() for name, p in trainer.model.named_parameters() if p.requires_grad}
    trainer.train()
    moved = {name for name, p in trainer.model.named_parameters() if name in start and not torch.equal(p, start[name])}
    for part in ("lm.model.layers.0.self_attn.q_proj.lora_B", "encoder.model.encoder.layer.0", "adapter"):
        assert any(part in name for name in moved), part
    assert losses(trainer)[-1] < losses(trainer)[0]
