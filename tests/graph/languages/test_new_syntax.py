"""What languages of tables got in the last years, as small programs: definitions, and calls by their names.

`+` stands for what is read, `>` for calls. No program has syntax problems.
"""

import pytest

from codefuse_hf.graph import build_code_graph
from codefuse_hf.graph.languages import front_end, languages, tree_sitter

PROGRAMS = {
    "type parameters and satisfies.ts": ("""
        function first<const T>(items: T) { return rest(items); }
        type Exact<in out T> = (x: T) => T;
        const config = { a: 1 } satisfies Config;
        function rest(x) { using file = open(); return x; }
        function open() {}
        """, "first Exact rest open", "first>rest rest>open"),
    "decorators and accessors.ts": ("""
        @sealed
        class Box {
          @log() fill() { this.shut(); }
          accessor size = 1;
          static accessor name: string = make();
          shut() {}
          static { make(); }
        }
        function make() {}
        """, "Box fill size name shut make", "fill>shut Box>make"),
    "types of modules.ts": ("""
        import type { A } from "./a";
        export type { B } from "./b";
        export type * from "./c";
        interface Shop { page?: import("./page").Page[]; open(): void }
        import data from "./data.json" with { type: "json" };
        class Till {}
        """, "Shop page open Till", ""),
    "a component.tsx": ("""
        const List = <T,>({ items }: Props<T>) => <ul onClick={() => pick(items)}>{items.map(show)}</ul>;
        function pick(items) {}
        """, "List pick", "List>pick"),
    "classes.js": ("""
        class Box {
          accessor size = 1;
          #fill() { return 1; }
          static { Box.make(); }
          open() { this.#fill(); using x = later(); }
          static make() {}
        }
        function later() {}
        """, "Box size #fill open make later", "Box>make open>#fill open>later"),
    "contexts.kt": ("""
        context(log: Log)
        fun open() = shut()

        class Box {
            context(log: Log, store: Store<Int>)
            val size: Int get() = count()
            private fun count() = 1
        }
        fun shut() {}
        """, "open Box size count shut", "open>shut Box>count"),
    "objects and one line.kt": ("""
        data object Nothing
        fun interface Handler { fun handle(x: Int) }
        sealed interface Shape { fun area() = side() }
        enum class Kind(val n: Int) { A(1) { override fun go() {} }, B(2); fun go() {} }
        fun side() = make<Int>(1) + make<Map<Int, String>>()
        fun <T> make(x: T? = null): T? = x
        annotation class Marks(val names: Array<String> = [])
        """, "Nothing Handler handle Shape area Kind A go B go side make Marks", "area>side side>make"),
    "names.kt": ("""
        class Box(val data: Int) {
            fun go() { open(); if (!final) value.open(inner = 1) }
            fun open() = data.size
        }
        fun routes() {
            val service by inject<Service<Int>>()
            get("/all") { open("x") }
        }
        fun open(x: String) {}
        fun get(path: String, then: () -> Unit) {}
        """, "Box go open routes open get", "go>open routes>get routes>open"),
    "annotated.kt": ("""
        @DslMarker
        annotation class Marks

        @RequiresOptIn(message = "a /* b )", level = Level.WARNING)
        @Retention(AnnotationRetention.BINARY)
        annotation class Early

        /** A box. */
        @OptIn(Early::class)
        @Marks
        open class Box protected constructor(@Inject val size: Int) {
            @Throws(IOException::class)
            actual fun fill() = check()
            @Test fun check() { @Suppress("x") other() }
        }
        @Serializable
        data class Point(val x: Int)
        @Serializable
        enum class Kind { A, B }
        fun other() {}
        """, "Marks Early Box fill check Point Kind A B other", "fill>check check>other"),
    "guards.kt": ("""
        fun price(x: Any): Int = when (x) {
            is Box if isFull(x) -> full(x)
            !in list -> 1
            else if isEmpty(x) -> 2
            else -> 3
        }
        fun isFull(x: Any) = !isEmpty(x)
        fun isEmpty(x: Any) = false
        fun full(x: Any) = x
        val text = $$"a $b $$c"
        """, "price isFull isEmpty full text", "price>isFull price>full price>isEmpty isFull>isEmpty"),
    "indented.scala": ("""
        package shop
        package inner

        enum Color(val rgb: Int):
          case Red extends Color(1)
          case Mix(a: Int, b: Int)
          def shown = show(this)

        given Order[Color] with
          def compare(a: Color, b: Color) = less(a, b)
          def less(a: Color, b: Color) = 1

        given ordered: Order[Int] = new Order { def compare(a: Int, b: Int) = hidden() ; def hidden() = 2 }

        extension (text: String)
          def shout: String = show(text)
          def twice(n: Int): String = text

        def show(x: Any): String =
          val all = List(x).map: each =>
            hidden(each)
          all.mkString
        end show

        def hidden(x: Any) = x
        type Colors = List[Color]
        """, "Color Red Mix shown given_Order_Color compare less ordered compare hidden shout twice show hidden Colors",
        "shown>show compare>less compare>hidden shout>show show>hidden"),
    "hooks.php": ("""<?php
        final readonly class Point {
            public const string NAME = 'point', OTHER = 'x';
            public string $shown { get => $this->show(); set(string $text) { $this->shown = clean($text); } }
            public private(set) int $x;
            public function __construct(private int $y = 1, final protected string $z = '') { new Point()->show(); }
            private function show(): static { return $this |> strlen(...); }
        }
        enum Suit: string { case A = 'a'; const BEST = self::A; public static function best(): self { return self::make(); } static function make() {} }
        function clean(string $x): never { (void) clean($x); }
        $made = new readonly class { function show() { $this->other(); } function other() {} };
        """, "Point NAME OTHER shown x __construct show Suit A BEST best make clean show other",
        "Point>show Point>clean best>make clean>clean show>other"),
    "chains.rs": ("""
        async fn run(x: Option<u8>) -> u8 {
            let Some(y) = x else { return stop(); };
            if let Some(z) = x && y > 1 && ready(z) { go(z); }
            let late = async move |v: u8| go(v);
            y
        }
        fn stop() -> u8 { 0 }
        fn ready(x: u8) -> bool { true }
        fn go(x: u8) {}
        unsafe extern "C" {
            pub safe fn outside(x: u8);
            safe static SIZE: u8;
        }
        trait Shop { type Item<'a> where Self: 'a; async fn open(&self); fn all(&self) -> impl Iterator<Item = u8> + use<Self>; }
        """, "run stop ready go outside SIZE Shop open all", "run>stop run>ready run>go"),
    "generics.go": ("""package shop
        type Number interface{ ~int | ~float64; Name() string }
        type Pairs[K comparable, V any] = map[K]V
        type Box[T Number] struct { items []T }
        func (b *Box[T]) Fill(all ...T) { for i := range 10 { b.put(i); keep[int](i); keep[int, string](i, "") } }
        func (b *Box[T]) put(i int) { for x := range seq(i) { _ = x } }
        func keep[T any](all ...any) *int { return new(1) }
        func seq(n int) func(yield func(int) bool) { return nil }
        """, "Number Name Pairs Box items Box.Fill Box.put keep seq", "Box.Fill>Box.put Box.Fill>keep Box.put>seq"),
    "new.c": ("""
        enum State : unsigned char { OPEN, SHUT = 0b11 };
        [[nodiscard]] static int first(int x [[maybe_unused]]) { return 1; }
        constexpr int size = 3;
        int main(void) { typeof(size) y = first(1'000); return y; }
        """, "State OPEN SHUT first main", "main>first"),
    "new.cppm": ("""
        module;
        export module shop.till:inner;
        import <vector>;
        export import :other;
        template<typename T> concept Holds = requires(T x) { { x.size() } -> std::same_as<int>; };
        export template<Holds T> int count(T x) requires std::copyable<T> { if consteval { return one(); } return two(x); }
        export int one() { return 1; }
        export {
          int two(auto x) { return 2; }
          class Box { void fill(this auto&& self, int n) { one(); } auto operator<=>(const Box&) const = default; };
        }
        export namespace inner { enum class Kind : short { A, B }; }
        """, "Holds count one two Box fill operator<=> Kind A B", "count>one count>two fill>one"),
    "short.rb": ("""
        class Shop
          def open = shut(1)
          def shut(x) = [1].map { it + size }
          private def size = print "a", 1
          def print(*, **, &) = show(*, **, &)
          def show(...) = nil
        end
        Point = Data.define(:x, :y) do
          def far = near
          def near = x
        end
        case x
        in {name: String => name, **nil} if name then 1
        end
        """, "Shop open shut size print show Point far near", "open>shut shut>size size>print print>show far>near"),
}  # fmt: skip


def languages_by_suffix():
    return {suffix: name for name, each in languages().items() for suffix in each.suffixes}


def plain(name):
    return name if name.startswith("operator") else name.partition("(")[0]


@pytest.mark.parametrize("name", PROGRAMS)
def test_new_syntax_is_read(tmp_path, name):
    source, definitions, calls = PROGRAMS[name]
    (tmp_path / name).write_text(source)
    graph = build_code_graph(tmp_path, progress=False, workers=0)
    assert not graph.diagnostics
    found = sorted((node.id, node.name) for node in graph.nodes() if node.file_path == name and node.type != "File")
    assert sorted(each for _, each in found) == sorted(definitions.split())
    if name == "annotated.kt":
        (box,) = graph.find("Box")
        assert graph[box].text.startswith("@OptIn(Early::class)") and graph[box].comment == "A box."
    edges = {f"{graph[a].name}>{graph[b].name}" for _, a, b in graph.edges("calls")}
    assert edges == set(calls.split())


@pytest.mark.parametrize(
    ("name", "piece"),
    [("a.kt", "@abc\n"), ("a.kt", "@abc(x\n"), ("a.kt", "@abc (\n\n"), ("a.kt", "is if "), ("a.kt", "by a<"), ("a.c", "enum a "), ("a.cpp", "export import a\n"),
     ("a.ts", "<in "), ("a.ts", ":import('a') "), ("a.rb", "def a = b c, "), ("a.php", "=new A(x "), ("a.rs", "pub safe "), ("a.go", "new(")],
)  # fmt: skip
def test_long_rows_of_what_is_looked_for_take_no_longer_than_their_length(name, piece):
    """With a pattern that looks at the rest of the file at each place, these would take minutes."""
    outline = front_end(languages_by_suffix()[name[1:]])._outline
    data = piece.encode() * (200_000 // len(piece))
    for change in (outline.prepare, outline.simplify):
        assert change is None or len(change(data)) == len(data)


TABLES = ["c", "csharp", "go", "javascript", "kotlin", "php", "ruby", "rust", "scala", "typescript"]


@pytest.mark.parametrize("language", TABLES)
def test_tables_name_only_what_the_grammars_have(language):
    """A grammar's new version may call its nodes otherwise; a table that names the old ones would read nothing, without a word."""
    outline = front_end(language)._outlines[language]
    grammars = {"c": ("c", "cpp"), "csharp": ("c_sharp",), "typescript": ("typescript", "tsx")}.get(
        language, (language,)
    )
    kinds = set()
    for name in grammars:
        grammar = tree_sitter._language(name)
        kinds |= {grammar.node_kind_for_id(i) for i in range(grammar.node_kind_count)}
    used = {*outline.rules, *outline.calls, *outline.imports, *outline.package, *outline.locals}
    used |= outline.local_types if outline.locals else set()
    used |= outline.wrappers | outline.leading | outline.comments | outline.nameless
    missing = used - kinds
    assert missing <= ({"field_definition", "using_declaration"} if language == "typescript" else set())
