"""What happens where waves meet: interference of waves, and the field of the last ones."""

from aether.physics.engine import PhysicsEngine
from aether.physics.field import Columns, Field
from aether.physics.interference import Interference, InterferenceKind
from aether.physics.plot import Detected

__all__ = ["Columns", "Detected", "Field", "Interference", "InterferenceKind", "PhysicsEngine"]
