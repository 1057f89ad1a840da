"""What happens where waves meet: interference of waves."""

from aether.physics.engine import PhysicsEngine
from aether.physics.interference import Interference, InterferenceKind

__all__ = ["Interference", "InterferenceKind", "PhysicsEngine"]
