"""What classes have from others: called on the object, on `super`, or by a bare name where the language has that."""

import pytest

from codefuse_hf.graph import build_code_graph


def calls(root, files):
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    graph = build_code_graph(root, progress=False, workers=0)
    assert not graph.diagnostics
    return {f"{graph[a].qualified_name}>{graph[b].qualified_name}" for _, a, b in graph.edges("calls")}


PROGRAMS = {
    "kotlin": ({
        "base.kt": "package shop\nopen class Base { open fun open() {}\n fun shut() {}\n }\nfun shut() {}\nfun free() {}\n",
        "till.kt": "package shop.till\nimport shop.Base\nclass Till : Base() { override fun open() { super.open(); shut(); this.shut() }\n"
        " fun none() = object : Other() { fun go() { this.shut() } }\n }\n",
    }, {"till.Till.open>base.Base.open", "till.Till.open>base.Base.shut"}),
    "scala": ({
        "Base.scala": "package shop\ntrait Base[F] { def pure(x: Int) = 1; def shut = pure(1) }\nobject Base { def lift(x: Int) = 2 }\n",
        "Till.scala": "package shop\npackage till\ntrait Till[F] extends Base[F] with Other { def recover = pure(1); override def shut = super.shut(); def up = lift(1) }\n",
        "package.scala": "package object shop { def pure(x: Int) = 3 }\n",
    }, {"Base.Base.shut>Base.Base.pure", "Till.Till.recover>Base.Base.pure", "Till.Till.shut>Base.Base.shut"}),
    "csharp": ({
        "Base.cs": "namespace Shop; class Base { protected void Open() {} protected static void Shut() {} }",
        "Till.cs": "namespace Shop.Tills; class Till : Base, IThing { void Open() { base.Open(); Shut(); this.Shut(); } class Inner { void F() { Shut(); } } }",
    }, {"Till.Till.Open>Base.Base.Open", "Till.Till.Open>Base.Base.Shut", "Till.Till.Inner.F>Base.Base.Shut"}),
    "cpp": ({
        "base.h": "class Base { void open() {} int size() { return 1; } };\nint size() { return 2; }\nint till_size() { return 3; }\n",
        "till.cc": '#include "base.h"\nclass Till : public Base { void run() { open(); this->size(); size(); till_size(); } };\n'
        "class Other : public Foreign<int> { void run() { size(); till_size(); } };\n",
    }, {"till.Till.run>base.Base.open", "till.Till.run>base.Base.size", "till.Till.run>base.till_size", "till.Other.run>base.till_size"}),
    "ruby": ({
        "base.rb": "module Shop\n  module Opens\n    def open(x); end\n  end\n  class Base\n    def initialize; end\n    def shut; end\n  end\nend\n",
        "till.rb": "module Shop\n  class Till < Base\n    include Opens\n    def open(x)\n      super\n      shut\n      self.shut\n    end\n    def shut\n      super()\n    end\n  end\n"
        "  class Other < Base\n    include Opens\n    def go\n      open 1\n      shut\n    end\n  end\nend\n",
    }, {"till.Shop.Till.open>base.Shop.Opens.open", "till.Shop.Till.open>till.Shop.Till.shut", "till.Shop.Till.shut>base.Shop.Base.shut",
        "till.Shop.Other.go>base.Shop.Opens.open", "till.Shop.Other.go>base.Shop.Base.shut"}),
    "php": ({
        "Base.php": "<?php namespace Shop; trait Opens { function open() {} } class Base { function __construct() {} static function make() {} }",
        "Till.php": "<?php namespace Shop\\Tills; use Shop\\{Base, Opens}; class Till extends Base { use Opens; function __construct() { parent::__construct(); $this->open(); static::make(); } }",
    }, {f"Till.Till.__construct>Base.{name}" for name in ("Base.__construct", "Base.make", "Opens.open")}),
    "typescript": ({
        "base.ts": "export class Base { constructor(x: number) {} open() {} }\nexport default class Plain { shut() {} }\n",
        "till.ts": 'import Plain, { Base } from "./base";\nclass Till extends Base { constructor() { super(1); this.open(); } open() { super.open(); } }\n'
        "class Other extends Plain { go() { this.shut(); shut(); this.none(); } }\nclass Mixed extends mixin(Base) { go() { this.open(); } }\n",
    }, {"till.Till.constructor>base.Base.constructor", "till.Till.constructor>till.Till.open", "till.Till.open>base.Base.open", "till.Other.go>base.Plain.shut"}),
}  # fmt: skip


@pytest.mark.parametrize("language", PROGRAMS)
def test_what_a_class_has_from_its_bases(tmp_path, language):
    files, expected = PROGRAMS[language]
    assert calls(tmp_path, files) == expected


def test_classes_that_extend_each_other_come_to_an_end(tmp_path):
    files = {
        "a.rb": "class A < B\n  def go\n    open\n  end\nend\nclass B < A\n  def open; end\nend\nclass C < C\nend\n"
    }
    assert calls(tmp_path, files) == {"a.A.go>a.B.open"}


def test_two_classes_of_a_name_are_no_base(tmp_path):
    one = "class Base { fun open() {}\n }\n"
    files = {
        "a.kt": f"package a\n{one}",
        "b.kt": f"package b\n{one}",
        "c.kt": "package c\nclass C : Base() { fun go() { open(); this.open() }\n }\n",
    }
    assert calls(tmp_path, files) == set()
