"""What happens where waves meet: interference, the patterns in a stream of waves, and the field of the last ones."""

from aether.physics.detection import Detection, EngineStatistics, InterferencePattern
from aether.physics.engine import PhysicsEngine
from aether.physics.field import Columns, Field
from aether.physics.interference import Interference, InterferenceKind
from aether.physics.plot import Detected
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
    "PhysicsEngine",
    "Watch",
    "WatchStatistics",
]
