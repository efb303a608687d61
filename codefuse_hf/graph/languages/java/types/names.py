"""What names mean in a Java project: packages, imports, scopes of types, inheritance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from codefuse_hf.graph.languages.base import FileFacts, Ref
from codefuse_hf.graph.languages.java.reading import facts as op
from codefuse_hf.graph.languages.java.types.library_classes import LibraryClasses
from codefuse_hf.graph.languages.java.types.source_roots import SourceRoots, declared_roots
from codefuse_hf.graph.languages.java.types.types import (
    PRIMITIVES,
    ArrayType,
    ClassType,
    JavaClass,
    JavaField,
    JavaMethod,
    TypeVariable,
    WrittenType,
    parse_type,
)

_MISSING = object()
_WILDCARD = parse_type("?")


class Unit:
    """One file of the project, or of the library (then `path` is empty)."""

    def __init__(self, project: Project, facts: FileFacts) -> None:
        self.project = project
        self.path = facts.path
        self.package = facts.package or ""
        noted: op.Facts = facts.facts
        self.environments = noted.environments
        self.bodies = noted.bodies
        self.slots = noted.slots
        self.places: list[int | None] = [None] * len(noted.slots)
        self.mentions = noted.mentions
        names = self._long_names(noted.classes)
        self.classes = [JavaClass(names[i], self, each, i) for i, each in enumerate(noted.classes)]
        self.methods = [JavaMethod(each, self._owner(each), self) for each in noted.methods]
        self.fields = [JavaField(each, self._owner(each), self) for each in noted.fields]
        self.single: dict[str, str] = {}
        self.packages: list[str] = []
        self.static_single: list[tuple[str, str]] = []
        self.static_all: list[str] = []
        for kind, name in noted.imports:
            if kind == op.IMPORT_TYPE:
                self.single.setdefault(name.rpartition(".")[2], name)
            elif kind == op.IMPORT_PACKAGE:
                self.packages.append(name)
            elif kind == op.IMPORT_STATIC:
                self.static_single.append((name.rpartition(".")[0], name.rpartition(".")[2]))
            else:
                self.static_all.append(name)
        self.used: set[Ref] = set()
        """What is imported by name without being named in an import: of the same package, or by `import p.*`."""
        self._names: dict[tuple[int, str], Any] = {}
        self._types: dict[tuple[int, str], Any] = {}
        self._variables: dict[int, tuple] = {}
        self._static: dict[str, list] = {}
        self._connect()

    def _long_names(self, classes: list[op.ClassFacts]) -> list[str]:
        """Qualified names; a class comes after the one around it."""
        names: list[str] = []
        for index, facts in enumerate(classes):
            around = names[facts.outer] if facts.outer >= 0 else self.package
            own = facts.name or f"${index}"
            names.append(f"{around}.{own}" if around else own)
        return names

    def _owner(self, member: op.MethodFacts | op.FieldFacts) -> JavaClass:
        return self.classes[member.owner] if member.owner >= 0 else self.project.nowhere

    def _connect(self) -> None:
        for cls in self.classes:
            facts = cls.facts
            cls.variables = tuple(
                [TypeVariable(name, bound, self, facts.environment) for name, bound in facts.type_parameters]
            )
            if facts.outer >= 0:
                cls.outer = self.classes[facts.outer]
                if facts.member:
                    cls.outer.members.setdefault(facts.name, cls)
        for method in self.methods:
            method.owner.methods.setdefault(method.name, []).append(method)
        for each in self.fields:
            each.owner.fields.setdefault(each.name, each)

    # -- types ---------------------------------------------------------------------------------------------------------------

    def lookup(self, environment: int, name: str) -> JavaClass | TypeVariable | None:
        """Finds the class or type variable that a simple name means."""
        key = (environment, name)
        found = self._names.get(key, _MISSING)
        if found is _MISSING:
            self._names[key] = None  # while it is looked up: cyclic inheritance ends here
            found = self._names[key] = self._lookup(environment, name)
        return found

    def _lookup(self, environment: int, name: str) -> Any:
        if environment <= 0:
            return self._lookup_in_file(name)
        record = self.environments[environment]
        if record.inside >= 0:
            cls = self.classes[record.inside]
            if cls.facts.name == name:
                return cls
            for variable in cls.variables:
                if variable.name == name:
                    return variable
            found = self.project.member_of(cls, name)
            if found is not None:
                return found
        else:
            for variable in self.method_variables(environment):
                if variable.name == name:
                    return variable
            if record.local_classes and name in record.local_classes:
                return self.classes[record.local_classes[name]]
        return self.lookup(record.parent, name)

    def method_variables(self, environment: int) -> tuple:
        """Returns the type variables that a method declares, by its environment."""
        found = self._variables.get(environment)
        if found is None:
            record = self.environments[environment]
            found = self._variables[environment] = tuple(
                [TypeVariable(name, bound, self, environment) for name, bound in record.type_parameters]
            )
        return found

    def _lookup_in_file(self, name: str) -> JavaClass | None:
        project = self.project
        for cls in self.classes:
            if cls.outer is None and cls.facts.member and cls.facts.name == name:
                return cls
        if name in self.single:
            return project.qualified(self.single[name], self)
        same = project.in_package(self.package, name, self)
        if same is not None:
            if same.ref is not None:
                self.used.add(same.ref)
            return same
        for package in self.packages:
            found = project.in_package(package, name, self)
            if found is None:
                holder = project.known(package, self)
                found = project.member_of(holder, name) if holder is not None else None
            if found is not None:
                if found.ref is not None:
                    self.used.add(found.ref)
                return found
        for owner, member in self.static_single:
            if member == name:
                holder = project.known(owner, self)
                found = project.member_of(holder, name) if holder is not None else None
                if found is not None:
                    return found
        for owner in self.static_all:
            holder = project.known(owner, self)
            found = project.member_of(holder, name) if holder is not None else None
            if found is not None:
                return found
        return project.library.get("java.lang." + name)

    def named_class(self, environment: int, name: str) -> JavaClass | TypeVariable | None:
        """Finds the class that a simple or qualified name means; None when nothing known has it."""
        if "." not in name:
            return self.lookup(environment, name)
        first, *rest = name.split(".")
        found = self.lookup(environment, first)
        if type(found) is JavaClass:
            for part in rest:
                inner = self.project.member_of(found, part)
                if inner is None:
                    break
                found = inner
            else:
                return found
            if not found.external:
                return self.project.known(name, self)
        return self.project.known(name, self)

    def type(self, environment: int, text: str | None) -> Any:
        """Finds the type that a text in normal form means in an environment; an unknown name is an external class."""
        if text is None:
            return None
        key = (environment, text)
        found = self._types.get(key, _MISSING)
        if found is _MISSING:
            found = self._types[key] = self._type(environment, parse_type(text))
        return found

    def _type(self, environment: int, parsed: WrittenType) -> Any:
        name, arguments, dimensions = parsed
        made: Any
        if name in PRIMITIVES:
            made = name
        elif name in ("?", "", "var"):
            made = None
        else:
            meaning = self.named_class(environment, name)
            if meaning is None:
                meaning = self.project.external(self.single.get(name, name))
            if type(meaning) is TypeVariable:
                made = meaning
            else:
                inner = tuple([self._type_argument(environment, a) for a in arguments])
                if len(inner) != len(meaning.variables):
                    inner = inner if meaning.external else ()
                made = ClassType(meaning, inner)
        for _ in range(dimensions):
            made = ArrayType(made)
        return made

    def _type_argument(self, environment: int, parsed: WrittenType) -> Any:
        """As `_type`; a wildcard without a bound is an object."""
        if parsed == _WILDCARD and not self.project.is_linking:
            return self.project.object
        return self._type(environment, parsed)

    def parameter_types(self, method: JavaMethod) -> tuple:
        """Finds the declared parameter types of a method of this file."""
        if method.parameters is None:
            environment = method.facts.environment
            method.parameters = tuple([self.type(environment, each) for each in method.facts.parameters])
            method.variables = self.method_variables(environment)
            method.result = self.type(environment, method.facts.result)
        return method.parameters

    def field_type(self, field: JavaField) -> Any:
        """Finds the declared type of a field of this file."""
        if not field.known:
            field.known = True
            environment = field.owner.facts.environment if field.owner.facts is not None else 0
            field.type = self.type(environment, field.facts.type)
        return field.type

    def bound(self, variable: TypeVariable) -> Any:
        """Finds the first bound of a type variable, None without one."""
        if not variable.bound_name:
            return None
        found = self.type(variable.environment, variable.bound_name)
        return None if found is variable else found

    def classes_in(self, environment: int, text: str) -> list[JavaClass]:
        """Lists all classes that a type names, its arguments' included."""
        found = []
        waiting = [parse_type(text)]
        while waiting:
            name, arguments, _ = waiting.pop()
            waiting.extend(arguments)
            if name and name not in PRIMITIVES and name != "?":
                meaning = self.named_class(environment, name)
                if type(meaning) is JavaClass:
                    found.append(meaning)
        return found

    # -- static imports ------------------------------------------------------------------------------------------------------

    def static_methods(self, name: str) -> list[JavaMethod]:
        """Finds the methods that static imports make known under a simple name."""
        found = self._static.get(name)
        if found is None:
            found = []
            for owner, member in self.static_single:
                holder = self.project.known(owner, self) if member == name else None
                if holder is not None:
                    found += [m for m in holder.named(name) if m.is_static]
            if not found:
                for owner in self.static_all:
                    holder = self.project.known(owner, self)
                    if holder is not None:
                        extra = [m for m in holder.named(name) if m.is_static]
                        self.used.update(m.ref for m in extra if m.ref is not None)
                        found += extra
            self._static[name] = found
        return found

    def static_field(self, name: str) -> JavaField | None:
        """Finds the field that static imports make known under a simple name."""
        for owner, member in (*self.static_single, *((each, name) for each in self.static_all)):
            if member == name:
                holder = self.project.known(owner, self)
                found = holder.field(name) if holder is not None else None
                if found is not None:
                    return found
        return None


class Project:
    """All files of a Java project, and the part of the library that is known."""

    def __init__(self, files: Mapping[str, FileFacts]) -> None:
        self.nowhere = JavaClass("", None, None)
        self.library = LibraryClasses(lambda facts: Unit(self, facts).classes, self._link)
        self._by_name: dict[str, list[JavaClass]] = {}
        self._external: dict[str, JavaClass] = {}
        self._package_names: set[str] = set()
        build_files = getattr(files, "metadata", {})
        self.roots = SourceRoots(declared_roots(sorted(build_files), build_files.get))
        self._linked: set[JavaClass] = set()
        self._linking = True
        self.units = [Unit(self, facts) for facts in files.values() if facts.facts is not None]
        for unit in self.units:
            self._package_names.add(unit.package)
            for cls in unit.classes:
                if self._is_member(cls):
                    self._by_name.setdefault(cls.name, []).append(cls)
        self.object = ClassType(self.library["java.lang.Object"])
        self.string = ClassType(self.library["java.lang.String"])
        for unit in self.units:
            for cls in unit.classes:
                self._link(cls)
        self._linking = False

    @property
    def is_linking(self) -> bool:
        """Whether supertypes are still being looked up."""
        return self._linking or self.library.loading > 0

    @staticmethod
    def _is_member(cls: JavaClass) -> bool:
        current: JavaClass | None = cls
        while current is not None:
            if not current.facts.member:
                return False
            current = current.outer
        return True

    def _link(self, cls: JavaClass) -> None:
        """Looks up the supertypes of a class."""
        if cls in self._linked or cls.facts is None:
            return
        self._linked.add(cls)
        facts, unit = cls.facts, cls.unit
        around = unit.environments[facts.environment].parent
        own = {variable.name for variable in cls.variables}
        supers = []
        for text in (facts.superclass, *facts.interfaces):
            if text is None:
                continue
            # the header sees the class's own type parameters, but not its members
            parsed = parse_type(text)
            found = self._header_type(unit, around, cls, parsed, own)
            if type(found) is ClassType and found.cls is not cls:
                supers.append(found)
        if cls.kind == "enum":
            supers.append(ClassType(self.library["java.lang.Enum"], (ClassType(cls),)))
        elif cls.kind == "record":
            supers.append(ClassType(self.library["java.lang.Record"]))
        elif all(parent.is_interface for parent, _ in supers) and cls.name != "java.lang.Object":
            supers.append(ClassType(self.library["java.lang.Object"]))
        cls.supers = supers
        for parent, _ in supers:
            if parent.name != "java.lang.Object":
                parent.subclasses.append(cls)

    def _header_type(self, unit: Unit, around: int, cls: JavaClass, parsed: WrittenType, own: set[str]) -> Any:
        name, arguments, dimensions = parsed
        if name in own:
            return next(variable for variable in cls.variables if variable.name == name)
        if not arguments or dimensions:
            return unit._type(around, parsed)
        head = unit._type(around, WrittenType(name))
        if type(head) is not ClassType:
            return head
        inner = tuple([self._header_type(unit, around, cls, argument, own) for argument in arguments])
        return ClassType(head.cls, inner if len(inner) == len(head.cls.variables) or head.cls.external else ())

    def member_of(self, cls: JavaClass, name: str) -> JavaClass | None:
        """Finds a member class, own or inherited; usable while inheritance is still being looked up."""
        if not self.is_linking:
            return cls.member(name)
        seen: set[JavaClass] = set()
        waiting = [cls]
        while waiting:
            current = waiting.pop(0)
            if current in seen:
                continue
            seen.add(current)
            if name in current.members:
                return current.members[name]
            self._link(current)
            waiting.extend(parent for parent, _ in current.supers)
        return None

    def in_package(self, package: str, name: str, unit: Unit) -> JavaClass | None:
        """Finds a class of a package, as seen from a file."""
        return self._choose(f"{package}.{name}" if package else name, unit)

    def _choose(self, name: str, unit: Unit) -> JavaClass | None:
        """Chooses the class of a qualified name; of several copies the one that is nearest to the file that asks."""
        found = self._by_name.get(name)
        if not found:
            return self.library.get(name)
        if len(found) == 1:
            return found[0]
        return max(found, key=lambda cls: self.roots.nearness(cls.unit.path, cls.package, unit.path, unit.package))

    def known(self, name: str, unit: Unit) -> JavaClass | None:
        """Finds a class by its qualified name `package.Outer.Inner`, inherited members included; None when not known."""
        found = self._choose(name, unit)
        if found is not None or "." not in name:
            return found
        holder = self.known(name.rpartition(".")[0], unit)
        return self.member_of(holder, name.rpartition(".")[2]) if holder is not None else None

    def qualified(self, name: str, unit: Unit) -> JavaClass:
        """Finds a class as `known` does, but makes an unknown one, external."""
        return self.known(name, unit) or self.external(name)

    def external(self, name: str) -> JavaClass:
        """Returns the class that is known by this name only, the same each time."""
        found = self._external.get(name)
        if found is None:
            found = self._external[name] = JavaClass(name, None, None)
        return found

    def is_package(self, name: str) -> bool:
        """Tells whether some file is in the package of this name."""
        return name in self._package_names

    # -- edges ---------------------------------------------------------------------------------------------------------------

    def inheritance(self) -> Iterable[tuple[str, Ref, Ref]]:
        """Lists the edges from classes to what they extend and implement."""
        for unit in self.units:
            for cls in unit.classes:
                facts = cls.facts
                for parent, _ in cls.supers:
                    if parent.ref is None or (cls.kind == "enum" and parent.kind == "class"):
                        continue
                    implements = parent.is_interface and not cls.is_interface
                    if (
                        implements
                        and facts.superclass
                        and parent.name.rpartition(".")[2] == facts.superclass
                        and cls.kind == "class"
                    ):
                        implements = False  # `extends` an interface: wrong Java, but that is what it says
                    yield ("implements" if implements else "extends", cls.ref, parent.ref)

    def imports(self) -> Iterable[tuple[str, Ref, Ref]]:
        """Lists the edges of import declarations, and of the names that on-demand imports and the own package provide."""
        for unit in self.units:
            file = Ref(unit.path, 0)
            for name in unit.single.values():
                found = self.known(name, unit)
                if found is not None and found.ref is not None:
                    yield ("imports", file, found.ref)
            for owner, member in unit.static_single:
                holder = self.known(owner, unit)
                if holder is None or holder.ref is None:
                    continue
                methods = [m for m in holder.named(member) if m.is_static and m.ref is not None]
                inner = self.member_of(holder, member)
                for method in methods:
                    yield ("imports", file, method.ref)
                if inner is not None and inner.ref is not None:
                    yield ("imports", file, inner.ref)
                elif not methods:
                    yield ("imports", file, holder.ref)
            for owner in unit.static_all:
                holder = self.known(owner, unit)
                if holder is not None and holder.ref is not None:
                    yield ("imports", file, holder.ref)
            for ref in unit.used:
                if ref.path != unit.path:
                    yield ("imports", file, ref)
