"""The examples in docstrings run, those of the stub too: an editor shows them. Both say the same."""

import ast
import doctest
import importlib
import inspect
import pkgutil
from importlib import resources

import pytest

import aether
from aether import _native, journal, physics, records, testing

# An example shows one thing, and leaves its vibrators open.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

MODULES = [
    name
    for package in (aether, journal, physics, records, testing)
    for _, name, is_package in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
    if not is_package and name != "aether._native"
]


def stub_docstrings() -> dict[str, str]:
    """The docstrings of the stub by qualified name; of overloads, the first."""
    found: dict[str, str] = {}

    def visit(node: ast.Module | ast.ClassDef, prefix: str) -> None:
        for child in node.body:
            if isinstance(child, ast.ClassDef | ast.FunctionDef):
                name = f"{prefix}{child.name}"
                docstring = ast.get_docstring(child)
                if docstring is not None:
                    found.setdefault(name, docstring)
                if isinstance(child, ast.ClassDef):
                    visit(child, f"{name}.")

    visit(ast.parse(resources.files("aether").joinpath("_native.pyi").read_text("utf-8")), "")
    return found


STUB = stub_docstrings()
PUBLIC = ("Emitter", "ManualClock", "Receipt", "Vibrator", "Wave")


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_of_a_module_run(module: str) -> None:
    assert doctest.testmod(importlib.import_module(module)).failed == 0


@pytest.mark.parametrize("name", [name for name, text in STUB.items() if ">>>" in text])
def test_the_examples_of_the_stub_run(name: str) -> None:
    example = doctest.DocTestParser().get_doctest(STUB[name], {}, name, "_native.pyi", 0)
    assert doctest.DocTestRunner().run(example).failed == 0


@pytest.mark.parametrize("name", [name for name in STUB if name.partition(".")[0] in PUBLIC])
def test_the_stub_says_what_the_runtime_says(name: str) -> None:
    exported: object = _native
    for part in name.split("."):
        exported = getattr(exported, part)
    assert inspect.getdoc(exported) == STUB[name]
