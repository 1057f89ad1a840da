"""What happens where waves meet: interference of waves, one pair at a time or whole arrays."""

from aether.physics.arrays import (
    attenuate,
    coherence,
    decay,
    interfere,
    resultant,
    superpose,
)
from aether.physics.engine import PhysicsEngine
from aether.physics.interference import Interference, InterferenceKind
from aether.physics.spectrum import Periodicity, Spectrum, spectrum

__all__ = [
    "Interference",
    "InterferenceKind",
    "Periodicity",
    "PhysicsEngine",
    "Spectrum",
    "attenuate",
    "coherence",
    "decay",
    "interfere",
    "resultant",
    "spectrum",
    "superpose",
]
