"""Tokenizer of Rodimus and Rodimus+: a fast tokenizer over `tokenizer.json`, with the family's chat format."""

from collections.abc import Iterable, Iterator
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

try:
    from jinja2.exceptions import TemplateError
except ImportError:  # then there are no chat templates either
    TemplateError = type("TemplateError", (Exception,), {})

# Attribute → token. A tokenizer has those that its vocabulary holds; the fill-in-the-middle tokens are the Coder family's.
SPECIAL_TOKENS = {
    "bos_token": "<|startoftext|>",
    "eos_token": "<|endoftext|>",
    "pad_token": "<|endoftext|>",
    "cls_token": "[CLS]",
    "gmask_token": "[gMASK]",
    "fim_begin_token": "<|fim_begin|>",
    "fim_hole_token": "<|fim_hole|>",
    "fim_end_token": "<|fim_end|>",
    "fim_pad_token": "<|fim_pad|>",
    "repo_name_token": "<|repo_name|>",
    "file_sep_token": "<|file_sep|>",
}
# Of the vocabularies that are trained here: what pads must not be what ends a text, since collators mask padding by its id.
OWN_PAD_TOKEN = "<|pad|>"

# Each turn is `<role>NAME</role>` directly followed by its text. Whitespace control keeps every environment's rendering
# the same, whatever its block trimming.
CHAT_TEMPLATE = """\
{%- set names = {'SYSTEM': 'SYSTEM', 'HUMAN': 'HUMAN', 'USER': 'HUMAN', 'ASSISTANT': 'ASSISTANT',
                 'OBSERVATION': 'OBSERVATION', 'TOOL': 'OBSERVATION'} -%}
{%- set unread = ['tool_calls', 'function_call', 'reasoning_content', 'reasoning', 'thinking', 'documents', 'images', 'audio'] -%}
{%- macro text(message) -%}
    {%- if message.content is string -%}
        {{- message.content -}}
    {%- elif message.content is defined and message.content is sequence and message.content is not mapping -%}
        {%- for part in message.content -%}
            {%- if part is string -%}
                {{- part -}}
            {%- elif part is mapping and part.text is string -%}
                {{- part.text -}}
            {%- else -%}
                {{- raise_exception('Rodimus reads text only: a part of the content of a message by ' ~ message.role
                                    ~ ' has no text') -}}
            {%- endif -%}
        {%- endfor -%}
    {%- else -%}
        {{- raise_exception('the content of a message by ' ~ message.role ~ ' must be a string or a list of text parts') -}}
    {%- endif -%}
{%- endmacro -%}
{%- if tools -%}
    {{- raise_exception('the Rodimus chat format has no place for tools: describe them in the system message') -}}
{%- endif -%}
{%- if documents -%}
    {{- raise_exception('the Rodimus chat format has no place for documents: put their text into a message') -}}
{%- endif -%}
{%- if system -%}
    {%- if messages and (messages[0].role | string | upper) == 'SYSTEM' -%}
        {{- raise_exception('give the system text once: as the first message or as the argument `system`') -}}
    {%- endif -%}
    {{- '<role>SYSTEM</role>' ~ system -}}
{%- endif -%}
{%- for message in messages -%}
    {%- set name = names[message.role | string | upper] -%}
    {%- for key in unread -%}
        {%- if message[key] -%}
            {{- raise_exception('the Rodimus chat format has no place for ' ~ key ~ ': write what matters into the content') -}}
        {%- endif -%}
    {%- endfor -%}
    {%- if not name -%}
        {{- raise_exception('unknown role "' ~ message.role ~ '": use system, user, assistant and tool, or SYSTEM, HUMAN, '
                            ~ 'ASSISTANT and OBSERVATION') -}}
    {%- elif name == 'SYSTEM' and not loop.first -%}
        {{- raise_exception('a system message must come first, found one at position ' ~ loop.index0) -}}
    {%- elif name == 'ASSISTANT' -%}
        {{- '<role>ASSISTANT</role>' -}}
        {%- generation -%}{{- text(message) -}}{%- endgeneration -%}
    {%- elif name != 'SYSTEM' or text(message) -%}
        {{- '<role>' ~ name ~ '</role>' -}}{{- text(message) -}}
    {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt is not defined or add_generation_prompt -%}
    {%- if not messages or names[messages[-1].role | string | upper] != 'ASSISTANT' -%}
        {{- '<role>ASSISTANT</role>' -}}
    {%- endif -%}
{%- endif -%}
"""

# For training: an answer is followed by the token that ends it, and both are the assistant's. The published format above
# holds prompts, in which no answer ends; a model that is trained on it never stops.
_ANSWER = "{{- text(message) -}}{%- endgeneration -%}"
_ENDED_ANSWER = """\
{{- text(message) -}}
        {%- if not text(message).endswith(eos_token) -%}{{- eos_token -}}{%- endif -%}
        {%- endgeneration -%}"""
TRAINING_CHAT_TEMPLATE = CHAT_TEMPLATE.replace(_ANSWER, _ENDED_ANSWER)

# Words with the character before them, single digits, punctuation with the line end after it, line breaks with the blank
# lines before them, runs of spaces up to the last: indentation is one token, and a word the same after a space or a bracket.
_PIECES = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


class ChatFormatError(TemplateError, ValueError):
    """A conversation that the chat format cannot express. Libraries that probe a template expect a `TemplateError`."""


class RodimusTokenizer(PreTrainedTokenizerFast):
    r"""
    A fast tokenizer over `tokenizer.json`. It pads on the left and adds neither `bos_token` nor `eos_token` by itself,
    unless it is loaded with `add_bos_token=True` or `add_eos_token=True`.

    Special tokens: `bos_token`, `eos_token`, `pad_token`, `cls_token`, `gmask_token`, and in the Coder family
    `fim_begin_token`, `fim_hole_token`, `fim_end_token`, `fim_pad_token`, `repo_name_token`, `file_sep_token`, each also
    as `…_id`. An attribute is `None` where the vocabulary lacks the token.

    Args:
        tokenizer_file (`str`): path of a `tokenizer.json`; or
        tokenizer_object (`tokenizers.Tokenizer`): the tokenizer itself.
        chat_template (`str`, *optional*): the family's chat format by default.

    Raises:
        ValueError: neither `tokenizer_file` nor `tokenizer_object`.
    """

    vocab_files_names = {"tokenizer_file": "tokenizer.json"}
    model_input_names = ["input_ids", "attention_mask"]
    padding_side = "left"
    SPECIAL_TOKENS_ATTRIBUTES = list(
        dict.fromkeys([*PreTrainedTokenizerFast.SPECIAL_TOKENS_ATTRIBUTES, *SPECIAL_TOKENS])
    )

    @classmethod
    def convert_to_native_format(cls, trust_remote_code: bool = False, **kwargs) -> dict[str, Any]:
        """Return the arguments as they are, so that all of `tokenizer.json` is kept, the pre-tokenizer above all."""
        # The library would take the vocabulary out of tokenizer.json, for classes that rebuild the rest in `__init__`.
        # Here all of tokenizer.json is wanted, the pre-tokenizer above all.
        return kwargs

    def __init__(self, *args, **kwargs):
        if kwargs.get("chat_template") is None:
            kwargs["chat_template"] = CHAT_TEMPLATE
        kwargs.setdefault("padding_side", "left")  # also saved, for who loads the folder without this class
        super().__init__(*args, **kwargs)
        vocabulary = self.get_vocab()
        self.add_special_tokens(
            {
                name: token
                for name, token in SPECIAL_TOKENS.items()
                if token in vocabulary and getattr(self, name) is None
            }
        )
        if kwargs.get("add_bos_token") or kwargs.get("add_eos_token"):
            # Again: the library forgets these while the tokens have no names yet.
            self.add_bos_token = kwargs.get("add_bos_token", False)
            self.add_eos_token = kwargs.get("add_eos_token", False)
        elif self.num_special_tokens_to_add(pair=False) > 0:
            self.update_post_processor()

    @property
    def training_chat_template(self) -> str:
        """The chat template to train with: as the family's, but every answer ends with `eos_token`.

        Set `tokenizer.chat_template = tokenizer.training_chat_template` before training; the folder that is saved then
        shows the model past answers as it has learnt them. A template of the user's own is returned as it is.

        Raises:
            ValueError: the tokenizer has no `eos_token`.
        """
        if self.chat_template != CHAT_TEMPLATE:
            return self.chat_template
        if self.eos_token is None:
            raise ValueError("this tokenizer has no eos_token, so nothing could end an answer: set one before training")
        return TRAINING_CHAT_TEMPLATE

    def apply_chat_template(
        self,
        conversation,
        tools=None,
        documents=None,
        chat_template: str | None = None,
        add_generation_prompt: bool | None = None,
        continue_final_message: bool | str = False,
        *args,
        return_assistant_tokens_mask: bool = False,
        **kwargs,
    ):
        """Renders a conversation in the Rodimus chat format, and tokenizes it; see `PreTrainedTokenizerBase`.

        Roles, in any case: system (first message only, or the argument `system="…"`), user or human, assistant, tool or
        observation. `content` is a string, or a list of parts `{"type": "text", "text": …}`.

        `return_assistant_tokens_mask=True` asks for what to train, and so renders `training_chat_template`.

        Args:
            add_generation_prompt: whether to close with `<role>ASSISTANT</role>`, unless the last turn is the
                assistant's already, which then goes on. By default true, as the format has it; with
                `continue_final_message`, false.

        Raises:
            ChatFormatError: (a `ValueError` and Jinja's `TemplateError`) an unknown role, a system message that is not the
                first, content that is no text, and what the format has no place for: tools, tool calls, documents.
        """
        if add_generation_prompt is None:
            add_generation_prompt = not continue_final_message
        if return_assistant_tokens_mask:
            kwargs["return_assistant_tokens_mask"] = True
            if chat_template is None and self.chat_template == CHAT_TEMPLATE and self.eos_token is not None:
                chat_template = self.training_chat_template
        try:
            return super().apply_chat_template(
                conversation,
                tools,
                documents,
                chat_template,
                add_generation_prompt,
                continue_final_message,
                *args,
                **kwargs,
            )
        except TemplateError as error:
            if type(error) is not TemplateError:  # a fault in somebody's template, not what a template says
                raise
            raise ChatFormatError(f"this conversation cannot be rendered: {error}") from error

    def fill_in_the_middle_prompt(self, prefix: str, suffix: str) -> str:
        """Return the prompt that asks a Coder model for the text between `prefix` and `suffix`.

        Raises:
            ValueError: this vocabulary has no fill-in-the-middle tokens.
        """
        missing = [
            name for name in ("fim_begin_token", "fim_hole_token", "fim_end_token") if getattr(self, name) is None
        ]
        if missing:
            raise ValueError(
                f"this tokenizer has no {', '.join(missing)}: only the Coder family fills in the middle of a text"
            )
        return f"{self.fim_begin_token}{prefix}{self.fim_hole_token}{suffix}{self.fim_end_token}"

    @classmethod
    def train_from_iterator(
        cls,
        texts: Iterable[str] | Iterator[list[str]],
        vocab_size: int,
        *,
        min_frequency: int = 2,
        length: int | None = None,
        show_progress: bool = True,
        **kwargs,
    ) -> "RodimusTokenizer":
        """Train a byte-level BPE tokenizer with the family's special tokens and a padding token of its own.

        In the published vocabularies the token that ends a text is also the padding, which
        `DataCollatorForLanguageModeling` then leaves out of the loss: a model trained so never stops.

        Args:
            texts: strings, or lists of strings.
            vocab_size: at most so many tokens, special tokens included; fewer if the texts do not yield them.
            min_frequency: pairs seen less often are not merged.
            length: number of texts, for the progress bar.
            show_progress: whether to show progress bars.
            kwargs: further arguments of the tokenizer, such as `model_max_length`.

        Raises:
            ValueError: a vocabulary too small for the 256 bytes and the special tokens.
        """
        kwargs.setdefault("pad_token", OWN_PAD_TOKEN)
        special_tokens = list(dict.fromkeys([*SPECIAL_TOKENS.values(), str(kwargs["pad_token"])]))
        smallest = 256 + len(special_tokens)
        if vocab_size < smallest:
            raise ValueError(
                f"vocab_size must be at least {smallest} (256 bytes and {len(special_tokens)} special tokens), got {vocab_size}"
            )
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(_PIECES), behavior="isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=vocab_size,
            min_frequency=min_frequency,
            special_tokens=special_tokens,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=show_progress,
        )
        tokenizer.train_from_iterator(texts, trainer=trainer, length=length)
        return cls(tokenizer_object=tokenizer, **kwargs)


__all__ = ["RodimusTokenizer"]
