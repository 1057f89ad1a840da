"""What happens where waves meet: interference of waves, one pair at a time or whole arrays."""

from aether.physics.arrays import attenuate, decay, interfere
from aether.physics.engine import PhysicsEngine
from aether.physics.interference import Interference, InterferenceKind

__all__ = [
    "Interference",
    "InterferenceKind",
    "PhysicsEngine",
    "attenuate",
    "decay",
    "interfere",
]
