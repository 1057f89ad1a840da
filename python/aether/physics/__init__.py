"""What happens where waves meet: interference, of two waves or whole arrays; patterns in a stream; its last waves."""

from aether.physics.arrays import (
    attenuate,
    coherence,
    decay,
    interfere,
    resultant,
    superpose,
)
from aether.physics.detection import Detection, EngineStatistics, InterferencePattern
from aether.physics.engine import PhysicsEngine
from aether.physics.field import Columns, Field
from aether.physics.interference import Interference, InterferenceKind
from aether.physics.plot import Detected
from aether.physics.spectrum import Periodicity, Spectrum, spectrum
from aether.physics.watch import Watch, WatchStatistics

__all__ = [
    "Columns",
    "Detected",
    "Detection",
    "EngineStatistics",
    "Field",
    "Interference",
    "InterferenceKind",
    "InterferencePattern",
    "Periodicity",
    "PhysicsEngine",
    "Spectrum",
    "Watch",
    "WatchStatistics",
    "attenuate",
    "coherence",
    "decay",
    "interfere",
    "resultant",
    "spectrum",
    "superpose",
]
