"""Every public name: there once, documented, and in `__all__`."""

import importlib
import inspect
import subprocess
import sys
from importlib import metadata, resources

import pytest

import aether

NAMES = [
    "Aether",
    "AetherConfig",
    "Vibrator",
    "Emitter",
    "Wave",
    "WaveBuilder",
    "Channel",
    "Receipt",
    "PhysicsEngine",
    "Detection",
    "InterferencePattern",
    "Watch",
    "Interference",
    "InterferenceKind",
    "ManualClock",
    "AetherError",
    "ChannelError",
    "ConfigError",
    "PayloadError",
    "WouldBlock",
    "EndOfStream",
    "Closed",
    "Deadlock",
    "NoReceiver",
    "RequestFailed",
    "WrongLoop",
    "ForkedMedium",
]


@pytest.mark.parametrize("name", NAMES)
def test_the_name_of_the_contract_is_exported(name: str) -> None:
    assert name in aether.__all__
    assert hasattr(aether, name)


def test_all_is_a_list_of_names_without_doubles() -> None:
    assert len(set(aether.__all__)) == len(aether.__all__)
    assert not [name for name in aether.__all__ if not hasattr(aether, name)]


@pytest.mark.parametrize("name", aether.__all__)
def test_an_export_has_a_docstring_of_its_own(name: str) -> None:
    exported = getattr(aether, name)
    if not inspect.isclass(exported) and not callable(exported):
        return
    own = vars(exported).get("__doc__") if inspect.isclass(exported) else exported.__doc__
    assert own, name
    assert own.strip()


@pytest.mark.parametrize("name", aether.__all__)
def test_a_public_method_has_a_docstring(name: str) -> None:
    exported = getattr(aether, name)
    if not inspect.isclass(exported):
        return
    bare = [
        member
        for member, value in vars(exported).items()
        if not member.startswith("_")
        and (callable(value) or isinstance(value, property))
        and not inspect.getdoc(getattr(exported, member))
    ]
    assert bare == []


@pytest.mark.parametrize("name", aether.__all__)
def test_an_export_shows_the_public_package(name: str) -> None:
    exported = getattr(aether, name)
    if inspect.isclass(exported):
        assert "_native" not in exported.__module__


def test_star_import_and_dir_give_every_name() -> None:
    scope: dict[str, object] = {}
    exec("from aether import *", scope)
    assert set(aether.__all__) <= set(scope)
    assert set(aether.__all__) <= set(dir(aether))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        aether.nonsense  # type: ignore[attr-defined]  # noqa: B018


def test_the_package_is_typed() -> None:
    root = resources.files("aether")
    assert root.joinpath("py.typed").is_file()
    assert root.joinpath("_native.pyi").is_file()


def test_the_distribution_is_named_aether_medium() -> None:
    assert metadata.metadata("aether-medium")["Name"] == "aether-medium"


@pytest.mark.parametrize("module", ["numpy", "pydantic", "typer", "rich", "trio", "uvloop"])
def test_importing_aether_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, aether; print({module!r} in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_private_modules_hold_no_public_name_of_another_identity() -> None:
    for module in ("channel", "errors", "medium", "vibrator", "config", "physics"):
        loaded = importlib.import_module(f"aether.{module}")
        for name in set(aether.__all__) & set(vars(loaded)):
            assert getattr(loaded, name) is getattr(aether, name), (module, name)
