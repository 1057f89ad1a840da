"""What happens where waves meet: interference of waves, and the patterns in a stream of them."""

from aether.physics.detection import Detection, EngineStatistics, InterferencePattern
from aether.physics.engine import PhysicsEngine
from aether.physics.interference import Interference, InterferenceKind

__all__ = [
    "Detection",
    "EngineStatistics",
    "Interference",
    "InterferenceKind",
    "InterferencePattern",
    "PhysicsEngine",
]
