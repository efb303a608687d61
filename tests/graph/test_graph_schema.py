import pytest

from codefuse_hf.graph.schema import EDGE_CODES, FIELDS, NODE_CODES, EdgeType, Language, NodeType

PYTHON_KEYS = {
    "Repo": "repoName groupName",
    "Package": "name",
    "File": "fileName filePath text clean_text",
    "Textfile": "name text path",
    "Class": "className classType comment text startLoc endLoc col clean_text",
    "Attribute": "name attributeType comment text startLoc endLoc col",
    "Function": "name header comment text startLoc endLoc col",
    "Lambda": "text startLoc endLoc col",
}
JAVA_KEYS = {
    "Repo": "path",
    "Module": "name",
    "Package": "name",
    "File": "name path text clean_text",
    "Textfile": "name text path",
    "Class": "name classType modifiers comment text startLoc endLoc clean_text",
    "Field": "name fieldType initializer modifiers comment arguments startLoc endLoc",
    "Method": "signature className methodName methodSig modifiers comment text startLoc endLoc",
}


@pytest.mark.parametrize(("language", "expected"), [(Language.PYTHON, PYTHON_KEYS), (Language.JAVA, JAVA_KEYS)])
def test_every_field_of_the_published_schema_is_written_under_its_key(language, expected):
    for node_type, keys in expected.items():
        written = {field.key(language) for field in FIELDS[NodeType(node_type)]}
        assert set(keys.split()) <= written, node_type


def test_every_written_key_is_read():
    for fields in FIELDS.values():
        for field in fields:
            assert {field.default_key, *field.spellings.values()} <= set(field.keys)


def test_no_key_of_a_node_type_belongs_to_two_fields():
    for node_type, fields in FIELDS.items():
        keys = [key for field in fields for key in field.keys]
        assert len(keys) == len(set(keys)), node_type


@pytest.mark.parametrize("name", ["contains", "CONTAINS", "Contains", EdgeType.CONTAINS])
def test_edge_types_are_read_in_any_case(name):
    assert EdgeType.parse(name) is EdgeType.CONTAINS


@pytest.mark.parametrize("name", ["Textfile", "TextFile", NodeType.TEXTFILE])
def test_both_spellings_of_text_file_are_one_type(name):
    assert NodeType.parse(name) is NodeType.TEXTFILE


@pytest.mark.parametrize(
    ("parse", "value"),
    [
        (NodeType.parse, "Klass"),
        (NodeType.parse, None),
        (NodeType.parse, ["File"]),
        (EdgeType.parse, "uses"),
        (EdgeType.parse, 3),
        (Language.parse, "Cobol"),
    ],
)
def test_an_unknown_type_is_an_error_that_names_it(parse, value):
    with pytest.raises(ValueError, match="expected one of") as error:
        parse(value)
    assert repr(value) in str(error.value)


def test_codes_follow_the_order_of_the_types():
    assert list(NODE_CODES.values()) == list(range(len(NodeType)))
    assert list(EDGE_CODES.values()) == list(range(len(EdgeType)))
