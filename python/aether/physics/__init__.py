"""What happens where waves meet: interference of waves, and the field of the last ones."""

from aether.physics.engine import PhysicsEngine
from aether.physics.field import Columns, Field
from aether.physics.interference import Interference, InterferenceKind

__all__ = ["Columns", "Field", "Interference", "InterferenceKind", "PhysicsEngine"]
