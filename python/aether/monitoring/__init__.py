"""What a medium measures of itself and its process: resources, the lag of its loop, hints at leaks.

Nothing of it runs unless `AetherConfig(health=HealthConfig(...))` asks for it, or `Aether.resources` is called.
"""
