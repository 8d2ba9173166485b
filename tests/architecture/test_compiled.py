"""What `make compiled` turns into C is code that means the same there. The rules are those found by breaking them."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOOK = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["mypyc"]

Def = ast.FunctionDef | ast.AsyncFunctionDef

UNSPEAKABLE = {"object", "slice"}
"""Any says as much as the first."""


def find_compiled() -> list[Path]:
    left_out = {name for name in HOOK["exclude"] if "/" not in name}
    found = {path for pattern in HOOK["include"] for path in ROOT.glob(pattern)}
    return sorted(path for path in found if path.name not in left_out and str(path.relative_to(ROOT)) not in HOOK["exclude"])


def own_nodes(function: Def) -> Iterator[ast.AST]:
    """What stands in a function, and not in one inside it."""
    waiting: list[ast.AST] = [*function.body]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, Def | ast.Lambda | ast.ClassDef):
            waiting.extend(ast.iter_child_nodes(node))


def find_leaks(tree: ast.Module) -> Iterator[str]:
    """Functions that C would let an exception they have caught slip out of, into whatever runs next."""
    for function in ast.walk(tree):
        if isinstance(function, ast.AsyncFunctionDef):
            yield f"{function.name} is a coroutine"
        elif isinstance(function, ast.FunctionDef):
            kinds = {type(node) for node in own_nodes(function)}
            if kinds & {ast.Yield, ast.YieldFrom} and kinds & {ast.Try, ast.With}:
                yield f"{function.name} is a generator that tries"


def find_decoded_shapes(tree: ast.Module, module: str) -> Iterator[str]:
    """The modules that hold the shapes msgspec decodes into."""
    origins = {
        alias.asname or alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "make_decoder":
            for name in ast.walk(call.args[0]):
                if isinstance(name, ast.Name) and name.id[:1] in "_" + name.id[:1].upper():
                    yield origins.get(name.id, module)


def find_unspeakable(tree: ast.Module) -> Iterator[str]:
    """Fields annotated with a builtin that mypyc cannot name when the class is made: importing the module would fail."""
    for made in ast.walk(tree):
        for field in made.body if isinstance(made, ast.ClassDef) else ():
            if isinstance(field, ast.AnnAssign):
                yield from (
                    name.id for name in ast.walk(field.annotation) if isinstance(name, ast.Name) and name.id in UNSPEAKABLE
                )


def test_the_list_of_what_is_compiled_leads_to_files() -> None:
    assert len(find_compiled()) > 30
    assert [name for name in HOOK["exclude"] if "/" in name and not (ROOT / name).is_file()] == []
    assert [pattern for pattern in HOOK["include"] if not list(ROOT.glob(pattern))] == []


def test_no_exception_can_leak_from_what_is_compiled() -> None:
    leaks = {path: list(find_leaks(ast.parse(path.read_bytes()))) for path in find_compiled()}
    assert {name: found for name, found in leaks.items() if found} == {}


def test_no_field_has_a_type_that_cannot_be_named_in_c() -> None:
    fields = {path: list(find_unspeakable(ast.parse(path.read_bytes()))) for path in find_compiled()}
    assert {name: found for name, found in fields.items() if found} == {}


def test_the_search_for_leaks_finds_them() -> None:
    trying = "\n  try:\n    yield 1\n  finally: pass\n"
    innocent = "def c():\n  try: pass\n  finally: pass\n  def d():\n    yield 1\n"
    found = list(find_leaks(ast.parse(f"async def a(): pass\ndef b():{trying}{innocent}")))
    assert found == [
        "a is a coroutine",
        "b is a generator that tries",
    ]


def test_what_is_decoded_into_keeps_its_types() -> None:
    compiled = {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in find_compiled()}
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in (ROOT / "gateway").rglob("*.py")}
    shapes = {where for name, path in modules.items() for where in find_decoded_shapes(ast.parse(path.read_bytes()), name)}
    assert "gateway.dialects.native_plain" in shapes or any("shapes" in shape for shape in shapes)
    assert shapes & compiled == set()
