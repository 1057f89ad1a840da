"""The family of errors."""

import pickle

import pytest

import aether

PARENTS = {
    "AetherError": (Exception,),
    "ChannelError": (aether.AetherError, ValueError),
    "ConfigError": (aether.AetherError, ValueError),
    "PayloadError": (aether.AetherError, ValueError),
    "WouldBlock": (aether.AetherError,),
    "EndOfStream": (aether.AetherError,),
    "Closed": (aether.AetherError,),
    "Deadlock": (aether.AetherError,),
    "NoReceiver": (aether.AetherError,),
    "RequestFailed": (aether.AetherError,),
    "WrongLoop": (aether.AetherError, RuntimeError),
    "ForkedMedium": (aether.AetherError, RuntimeError),
}


@pytest.mark.parametrize("name", PARENTS)
def test_is_an_error_of_aether_and_of_the_builtin_a_caller_expects(name: str) -> None:
    error = getattr(aether, name)
    assert all(issubclass(error, parent) for parent in PARENTS[name])


@pytest.mark.parametrize("name", PARENTS)
def test_no_error_is_another_one(name: str) -> None:
    if name == "AetherError":
        return
    others = [getattr(aether, other) for other in PARENTS if other not in (name, "AetherError")]
    assert not any(issubclass(getattr(aether, name), other) for other in others)


@pytest.mark.parametrize("name", PARENTS)
def test_shows_the_public_path(name: str) -> None:
    assert getattr(aether, name).__module__.split(".")[0] == "aether"
    assert "_native" not in getattr(aether, name).__module__


def test_a_channel_error_pickles() -> None:
    with pytest.raises(aether.ChannelError) as caught:
        aether.Channel("a..b")
    twin = pickle.loads(pickle.dumps(caught.value))
    assert type(twin) is aether.ChannelError
    assert str(twin) == str(caught.value)
