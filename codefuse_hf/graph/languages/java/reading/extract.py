"""Reads one Java file: packages, imports, classes and their members. Code inside of members is read by `reading/code.py`."""

from __future__ import annotations

import inspect
import re
from typing import Any

from codefuse_hf.graph.languages import tree_sitter
from codefuse_hf.graph.languages.base import Definition, FileFacts, Problem
from codefuse_hf.graph.languages.deep import DeepCalls, counted
from codefuse_hf.graph.languages.java.reading import facts as op
from codefuse_hf.graph.languages.java.reading.code import CodeReader
from codefuse_hf.graph.languages.java.reading.escapes import cover
from codefuse_hf.graph.languages.java.reading.scopes import COMMENTS, TYPES, without_comments
from codefuse_hf.graph.languages.source_text import SourceText

_CLASS_KINDS = {
    "class_declaration": "class",
    "interface_declaration": "interface",
    "enum_declaration": "enum",
    "record_declaration": "record",
    "annotation_type_declaration": "annotation",
}
_FLAGS = {
    "static": op.STATIC, "abstract": op.ABSTRACT, "final": op.FINAL, "private": op.PRIVATE, "default": op.DEFAULT, "volatile": op.VOLATILE,
}  # fmt: skip
_INJECTED = frozenset(("Autowired", "Inject", "Resource", "EJB", "PersistenceContext", "Reference", "DubboReference"))
"""What a container fills: fields, and the parameters of methods."""
_MOCKS = frozenset({"Mock", "MockBean", "MockitoBean", "Mocked"})
"""Annotations of fields that a mocking library fills."""
_SPACES = re.compile(r"\s+")


def extract(path: str, source: SourceText) -> FileFacts:
    """Reads the facts of one file; what is broken in it is skipped and reported."""
    tree = tree_sitter.parse("java", cover(source.parser_input))
    reader = FileReader(path, source)
    try:
        reader.read(tree.root_node)
    except RecursionError:
        reader = DeepFileReader(path, source)
        reader.read(tree.root_node)
    error = tree_sitter.first_error(tree)
    if error is not None:
        start, kind = error
        line = source.line(source.char(start))
        reader.problems.append(Problem("syntax", f"syntax {kind}: what does not parse was skipped", line))
    return reader.finish()


class FileReader(CodeReader):
    """The state of reading one file: where it is, and what was found so far."""

    def __init__(self, path: str, source: SourceText) -> None:
        super().__init__(source)
        self.path = path
        self.problems: list[Problem] = []
        self.package: str | None = None
        self.imports: list[tuple] = []
        self.classes: list[op.ClassFacts | None] = []
        self.methods: list[op.MethodFacts] = []
        self.fields: list[op.FieldFacts] = []
        self.class_names: list[str] = []
        self.anonymous: dict[int, int] = {}
        self.initializers: dict[int, int] = {}
        self.definitions.append(Definition("File", -1, 0, len(source.text), {}))

    def finish(self) -> FileFacts:
        """Put together what was found in the file."""
        if self.too_deep:
            self.problems.append(Problem("nesting", "nested too deeply: the innermost code was skipped", self.too_deep))
        slots = [op.SlotFacts(each.type, each.environment, each.assignments <= 1) for each in self.slots]
        mentions = list(self.mentions)
        facts = op.Facts(
            self.imports,
            self.classes,
            self.methods,
            self.fields,
            self.bodies,
            slots,
            self.environments,
            mentions,
        )
        return FileFacts(self.path, "java", self.definitions, facts, self.problems, self.package)

    # -- file ------------------------------------------------------------------------------------------------------------

    def read(self, root: Any) -> None:
        """Read a whole file from the root of its syntax tree."""
        stray = []
        for node in root.children:
            kind = node.type
            if kind in _CLASS_KINDS:
                self.class_declaration(node)
            elif kind == "package_declaration":
                self.package_declaration(node)
            elif kind == "import_declaration":
                self.import_declaration(node)
            elif kind == "module_declaration":
                self.module_declaration(node)
            elif kind == "ERROR":
                self.broken_members(node, -1)
            elif node.is_named and kind not in COMMENTS:
                stray.append(node)
        if stray:  # methods and statements without a class: a snippet, or what is left of broken code
            self.members(stray, -1)

    def package_declaration(self, node: Any) -> None:
        """Note the file's package."""
        for child in node.children:
            if child.type in ("scoped_identifier", "identifier"):
                self.package = _SPACES.sub("", self.text(child))

    def module_declaration(self, node: Any) -> None:
        """Notes the services that a module uses, and those that it provides with their classes."""
        body = next((c for c in node.children if c.type == "module_body"), None)
        for directive in body.children if body is not None else ():
            if directive.type in ("uses_module_directive", "provides_module_directive"):
                for child in directive.children:
                    if child.type in ("scoped_identifier", "identifier"):
                        self.mention(_SPACES.sub("", self.text(child)))

    def import_declaration(self, node: Any) -> None:
        """Note an import: its name, whether it is static, and whether it means all in it."""
        name, static, everything = "", False, False
        for child in node.children:
            kind = child.type
            if kind == "static":
                static = True
            elif kind == "asterisk":
                everything = True
            elif kind in ("scoped_identifier", "identifier"):
                name = _SPACES.sub("", self.text(child))
        if name:
            kinds = (op.IMPORT_STATIC, op.IMPORT_STATIC_ALL) if static else (op.IMPORT_TYPE, op.IMPORT_PACKAGE)
            self.imports.append((kinds[everything], name))

    # -- definitions -------------------------------------------------------------------------------------------------------

    def leading_comment(self, node: Any) -> Any:
        """Finds the first of the comments that stand directly before a declaration, None without any."""
        first, below = None, node
        while True:
            sibling = below.prev_sibling
            if sibling is None or sibling.type not in COMMENTS:
                return first
            before = sibling.prev_sibling
            if (
                before is not None
                and before.end_point[0] == sibling.start_point[0]
                and before.type not in ("{", *COMMENTS)
            ):
                return first  # it stands behind what comes before, on the same line
            if below.start_point[0] - sibling.end_point[0] > 1 and not self.text(sibling).startswith("/**"):
                return first  # a blank line in between
            first = below = sibling
            if sibling.type == "block_comment":
                return first

    def trailing_comment(self, node: Any) -> Any:
        """Find the comment behind a declaration, in the same line."""
        sibling = node.next_sibling
        if sibling is not None and sibling.type in (",", ";") and sibling.start_point[0] == node.end_point[0]:
            sibling = sibling.next_sibling
        if sibling is not None and sibling.type in COMMENTS and sibling.start_point[0] == node.end_point[0]:
            return sibling
        return None

    def comment_of(self, node: Any, trailing: bool = False) -> tuple[str, int]:
        """Finds the comment of a declaration as written, and the byte where the declaration with its comment starts."""
        first = self.leading_comment(node)
        if first is not None:
            return self.source.slice(first.start_byte, self.end_of_comments(first, node)).rstrip(), first.start_byte
        if trailing:
            after = self.trailing_comment(node)
            if after is not None:
                return self.text(after).rstrip(), node.start_byte
        return "", node.start_byte

    def end_of_comments(self, first: Any, node: Any) -> int:
        """Find the byte at which the comments from `first` up to `node` end."""
        last = first
        while True:
            following = last.next_sibling
            if following is None or following.start_byte >= node.start_byte:
                return last.end_byte
            last = following

    def modifiers_of(self, children: list) -> tuple[str, int]:
        """Reads modifiers and annotations, with single blanks, and the flags."""
        for child in children:
            if child.type == "modifiers":
                flags = 0
                for each in child.children:
                    flags |= _FLAGS.get(each.type, 0)
                    if each.type in ("marker_annotation", "annotation"):
                        name = self.annotation(each)
                        flags |= (op.MOCKED if name in _MOCKS else 0) | (op.INJECTED if name in _INJECTED else 0)
                return _SPACES.sub(" ", self.text(child)), flags
        return "", 0

    def annotation(self, node: Any) -> str:
        """Note the name of an annotation as used; returns it."""
        name = ""
        for child in node.children:
            if child.type in ("identifier", "scoped_identifier"):
                name = _SPACES.sub("", self.text(child))
                self.mention(name)
        return name

    def define(
        self, node_type: str, start: int, end: int, fields: dict, cut: int = -1, parent: int | None = None
    ) -> int:
        """Add a definition, its place given in bytes; returns its index."""
        source = self.source
        cut_start = -1 if cut < 0 else source.char(cut)
        fields = {key: value for key, value in fields.items() if value}
        container = self.container if parent is None else parent
        self.definitions.append(
            Definition(node_type, container, source.char(start), source.char(end), fields, cut_start)
        )
        return len(self.definitions) - 1

    # -- classes -----------------------------------------------------------------------------------------------------------

    def class_declaration(self, node: Any, local: bool = False) -> int:
        """Read a class, interface, enum, record or annotation; returns its index."""
        children = without_comments(node)
        name = next((self.text(c) for c in children if c.type == "identifier"), "")
        kind = _CLASS_KINDS[node.type]
        comment, cut = self.comment_of(node)
        index = len(self.classes)
        self.classes.append(None)
        outer = self.owner
        # a class inside a local class is a member of it
        long_name = f"{self.class_names[outer]}.{name}" if outer >= 0 else name
        self.class_names.append(long_name)
        environment = self.new_environment(index)
        if local:
            self.local_class(name, index)
        fields = {"name": name, "classType": kind, "comment": comment}
        definition = self.define("Class", node.start_byte, node.end_byte, fields, cut)
        saved = self.enter(definition, index, environment)
        modifiers, flags = self.modifiers_of(children)
        if modifiers:
            self.definitions[definition].fields["modifiers"] = modifiers
        if kind in ("enum", "record") or (kind in ("interface", "annotation")):
            flags |= op.STATIC
        if kind in ("interface", "annotation"):
            flags |= op.ABSTRACT
        parameters, superclass, interfaces, header, body = (), None, (), None, None
        for child in children:
            kind_of_child = child.type
            if kind_of_child == "type_parameters":
                parameters = self.type_parameters(child)
            elif kind_of_child == "superclass":
                superclass = next(iter(self.types_in(child)), None)
            elif kind_of_child in ("super_interfaces", "extends_interfaces"):
                interfaces = self.types_in(child)
            elif kind_of_child == "formal_parameters":
                header = child
            elif kind_of_child.endswith("_body"):
                body = child
        self.push_class_scope(body)
        components = self.record_components(header) if kind == "record" else None
        self.classes[index] = op.ClassFacts(
            definition, name, kind, flags, outer, environment, parameters, superclass, interfaces, not local, components,
        )  # fmt: skip
        if body is not None:
            self.members(body.children, index)
        self.leave(saved)
        return index

    def anonymous_class(self, body: Any, start: int, superclass: str | None, name_hint: int) -> int:
        """Reads the class of `new T(…) { … }` or of an enum constant with a body (then `start` is that of the constant)."""
        index = len(self.classes)
        self.classes.append(None)
        outer = self.owner
        number = self.anonymous[outer] = self.anonymous.get(outer, 0) + 1
        around = self.class_names[outer] if outer >= 0 else ""
        self.class_names.append(f"{around}${number}")
        environment = self.new_environment(index)
        name = f"{around.rpartition('.')[2]}${number}"
        definition = self.define("Class", start, body.end_byte, {"name": name, "classType": "class"})
        saved = self.enter(definition, index, environment)
        self.classes[index] = op.ClassFacts(
            definition,
            "",
            "anonymous",
            op.FINAL,
            outer,
            environment,
            (),
            superclass,
            (),
            False,
            None,
        )
        self.push_class_scope(body)
        self.members(body.children, index)
        self.leave(saved)
        return index

    def enter(self, definition: int, owner: int, environment: int) -> tuple:
        """Go into a definition; returns what `leave` needs."""
        saved = (self.container, self.owner, self.environment, self.caller, self.code, self.scopes, self.yields)
        self.container = self.caller = definition
        self.owner, self.environment = owner, environment
        self.scopes = [*self.scopes]
        self.yields = []
        return saved

    def leave(self, saved: tuple) -> None:
        """Come back to where `enter` was called."""
        self.container, self.owner, self.environment, self.caller, self.code, self.scopes, self.yields = saved

    def push_class_scope(self, body: Any) -> None:
        """Lets the fields of a local class hide the local variables around it."""
        if body is None or not any(self.scopes):
            return
        hidden: dict[str, int] = {}
        for member in body.children:
            if member.type == "field_declaration":
                for child in member.children:
                    if child.type == "variable_declarator" and child.children:
                        hidden[self.text(child.children[0])] = -1
        self.scopes.append(hidden)

    def record_components(self, header: Any) -> tuple:
        """Make fields of a record's components; returns their types."""
        if header is None:
            return ()
        types = []
        for parameter in header.children:
            if parameter.type not in ("formal_parameter", "spread_parameter"):
                continue
            kind, name, shown = self.parameter(parameter)
            if name is None:
                continue
            types.append(kind)
            fields = {"name": self.text(name), "fieldType": shown, "modifiers": "private final"}
            fields["comment"] = self.comment_of(parameter, trailing=True)[0]
            definition = self.define("Field", parameter.start_byte, parameter.end_byte, fields)
            self.fields.append(op.FieldFacts(definition, self.owner, self.text(name), kind, op.FINAL))
            self.mention(kind, definition)
        return tuple(types)

    def members(self, nodes: list, owner: int) -> None:
        """Read the members of a class."""
        for node in nodes:
            if node.is_named and node.type not in COMMENTS:
                self.member(node, owner)

    def member(self, node: Any, owner: int) -> None:
        """Read one member of a class."""
        kind = node.type
        if kind in ("method_declaration", "annotation_type_element_declaration") or kind in (
            "constructor_declaration",
            "compact_constructor_declaration",
        ):
            self.method(node)
        elif kind in ("field_declaration", "constant_declaration"):
            self.field(node)
        elif kind in _CLASS_KINDS:
            self.class_declaration(node, local=bool(self.scopes) and owner < 0)
        elif kind in ("static_initializer", "block"):
            self.initializer(node.children[-1] if kind == "static_initializer" else node)
        elif kind == "enum_constant":
            self.enum_constant(node)
        elif kind == "enum_body_declarations":
            self.members(node.children, owner)
        elif kind == "ERROR":
            self.broken_members(node, owner)
        elif kind not in ("modifiers", "import_declaration", "package_declaration"):
            self.initializer(node)

    def broken_members(self, node: Any, owner: int) -> None:
        """Reads what can still be read of a part that does not parse."""
        known = [
            c
            for c in node.children
            if c.type.endswith(("_declaration", "_statement", "_invocation")) or c.type in ("ERROR", "block")
        ]
        for child in known:
            if child.type == "import_declaration":
                self.import_declaration(child)
            elif child.type == "package_declaration":
                self.package_declaration(child)
            else:
                self.member(child, owner)

    # -- members -----------------------------------------------------------------------------------------------------------

    def method(self, node: Any) -> None:
        """Read a method or constructor with its body."""
        children = without_comments(node)
        name_node = parameters = body = result = None
        variables: tuple = ()
        dimensions = 0
        for child in children:
            kind = child.type
            if kind == "identifier":
                name_node = name_node or child
            elif kind == "formal_parameters":
                parameters = child
            elif kind in ("block", "constructor_body"):
                body = child
            elif kind == "dimensions":
                dimensions = self.dimensions(child)
            elif result is None and kind in TYPES:
                result = child
        if name_node is None:
            return
        name = self.text(name_node)
        is_constructor = node.type in ("constructor_declaration", "compact_constructor_declaration")
        comment, cut = self.comment_of(node)
        environment = self.new_environment(-1)
        class_name = self.class_names[self.owner] if self.owner >= 0 else ""
        start = next((c.start_byte for c in children if c.type != "modifiers"), node.start_byte)
        definition = self.define("Method", start, node.end_byte, {}, cut)
        saved = self.enter(definition, self.owner, environment)
        modifiers, flags = self.modifiers_of(children)
        for child in children:
            if child.type == "type_parameters":
                variables = self.type_parameters(child)
                self.environments[environment] = self.environments[environment]._replace(type_parameters=variables)
            elif child.type == "throws":
                self.types_in(child)
        self.scopes.append({})
        types, slots, variadic, written = self.parameters(parameters)
        if node.type == "compact_constructor_declaration":
            types, slots, written = self.compact_parameters()
            variadic = bool(written) and written[-1].endswith("...")
        returned = (
            None if is_constructor else self.type_name(result) + "[]" * dimensions if result is not None else "void"
        )
        if returned:
            self.mention(returned)
        end = body.start_byte if body is not None else node.end_byte
        self.definitions[definition].fields.update(
            {
                key: value
                for key, value in (
                    ("signature", f"{class_name}#{name}({','.join(written)})"),
                    ("className", class_name),
                    ("methodName", name),
                    ("methodSig", _SPACES.sub(" ", self.source.slice(start, end)).strip().rstrip(";").rstrip()),
                    ("modifiers", modifiers),
                    ("comment", comment),
                )
                if value
            }
        )
        in_interface = self.owner >= 0 and self.kind_of_owner() in ("interface", "annotation")
        if body is None and in_interface and not flags & (op.DEFAULT | op.STATIC):
            flags |= op.ABSTRACT
        body_index = -1
        if body is not None:
            body_index = self.body(slots, "method")
            if is_constructor:
                self.implicit_super(body)
            self.statement(body)
        self.methods.append(
            op.MethodFacts(
                definition,
                self.owner,
                "<init>" if is_constructor else name,
                tuple(types),
                variadic,
                returned,
                flags,
                environment,
                body_index,
            )
        )
        self.leave(saved)

    def kind_of_owner(self) -> str:
        """Tell what the current class is ("class", "interface", …), "" outside of one."""
        record = self.classes[self.owner]
        return record.kind if record is not None else ""

    def compact_parameters(self) -> tuple[list, tuple, list]:
        """Makes a record's components the parameters of its compact constructor."""
        types, slots, written = [], [], []
        for field in self.fields:
            if field.owner == self.owner and not field.flags & op.STATIC:
                types.append(field.type)
                slots.append(self.declare(field.name, field.type))
                written.append(self.definitions[field.definition].fields["fieldType"])
        return types, tuple(slots), written

    def implicit_super(self, body: Any) -> None:
        """Calls the superclass's constructor without arguments from a constructor that calls no other one."""
        first = next((c for c in body.children if c.is_named and c.type not in COMMENTS), None)
        if first is None or first.type != "explicit_constructor_invocation":
            self.emit(op.CHAIN, "super", (), -1)

    def field(self, node: Any) -> None:
        """Read the declaration of one field or several."""
        children = without_comments(node)
        modifiers, flags = self.modifiers_of(children)
        if self.owner >= 0 and self.kind_of_owner() in ("interface", "annotation"):
            flags |= op.STATIC
        comment, _ = self.comment_of(node, trailing=True)
        kind = shown = ""
        for child in children:
            if child.type in TYPES:
                kind, shown = self.type_name(child), self.shown(child)
            elif child.type == "variable_declarator":
                fields = {"fieldType": shown, "modifiers": modifiers, "comment": comment}
                self.field_declarator(node, child, kind, fields, flags)

    def field_declarator(self, node: Any, declarator: Any, kind: str, fields: dict, flags: int) -> None:
        """Read one field of a declaration, and what it begins with."""
        parts = without_comments(declarator)
        if not parts or parts[0].type != "identifier":
            return
        value = parts[-1] if len(parts) > 2 and parts[-2].type == "=" else None
        dimensions = "[]" * sum(self.dimensions(part) for part in parts if part.type == "dimensions")
        kind += dimensions
        name = self.text(parts[0])
        fields = {"name": name, **fields, "fieldType": fields["fieldType"] + dimensions}
        if value is not None:
            fields["initializer"] = self.text(value)
        definition = self.define("Field", node.start_byte, node.end_byte, fields)
        index = len(self.fields)
        self.fields.append(op.FieldFacts(definition, self.owner, name, kind, flags))
        self.mention(kind, definition)
        if value is not None:
            self.code = self.initializer_code()
            made = self.array_initializer(value, kind) if value.type == "array_initializer" else self.expression(value)
            self.emit(op.INIT_FIELD, index, made)

    def initializer_code(self) -> list:
        """Finds the code that runs when the class of the current position, or an instance of it, is made."""
        index = self.initializers.get(self.owner)
        if index is None:
            index = self.initializers[self.owner] = self.body((), "initializer")
        return self.bodies[index].code

    def initializer(self, node: Any) -> None:
        """Read code that runs when the class, or an instance of it, is made."""
        self.code = self.initializer_code()
        self.scopes.append({})
        self.statement(node)
        self.scopes.pop()

    def enum_constant(self, node: Any) -> None:
        """Read a constant of an enum: a field that holds a new instance."""
        children = without_comments(node)
        name_node = next((c for c in children if c.type == "identifier"), None)
        if name_node is None:
            return
        arguments = next((c for c in children if c.type == "argument_list"), None)
        body = next((c for c in children if c.type == "class_body"), None)
        kind = self.class_names[self.owner].rpartition(".")[2] if self.owner >= 0 else ""
        fields: dict[str, Any] = {"name": self.text(name_node), "fieldType": kind, "modifiers": "public static final"}
        fields["comment"] = self.comment_of(node, trailing=True)[0]
        self.modifiers_of(children)
        if arguments is not None:
            fields["arguments"] = [self.text(c) for c in arguments.children if c.is_named and c.type not in COMMENTS]
        definition = self.define("Field", node.start_byte, node.end_byte, fields)
        index = len(self.fields)
        self.fields.append(op.FieldFacts(definition, self.owner, self.text(name_node), kind, op.STATIC | op.FINAL))
        self.code = self.initializer_code()
        values = self.arguments(arguments) if arguments is not None else ()
        anonymous = self.anonymous_class(body, name_node.start_byte, kind, definition) if body is not None else -1
        self.emit(op.INIT_FIELD, index, self.emit(op.NEW, kind, values, anonymous, -1))


class DeepFileReader(DeepCalls, FileReader):
    """A reader for any depth of nesting up to `DEEPEST`: all its methods may go on on a fresh call stack."""

    frames_per_step = 4
    most_segments = 1000
    without_answer = {"expression": -1, "statement": None}

    def finish(self) -> FileFacts:
        """Put together what was found, and say if code was left out for its depth."""
        self.too_deep = self.too_deep or bool(self.left_out)
        return super().finish()


for _class in FileReader.__mro__[:-1]:
    for _name, _member in vars(_class).items():
        if inspect.isfunction(_member) and not _name.startswith("__") and _name not in vars(DeepFileReader):
            setattr(DeepFileReader, _name, counted(_member))
