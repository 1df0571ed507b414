"""Code under `@compiled` on objects that are no `STMObject`s: reads, stores, updates and a loop."""

from stmpy import compiled


class Particle:
    def __init__(self):
        self.x = self.y = 0.0
        self.dx, self.dy = 1.0, -1.0
        self.bounces = 0


@compiled
def step(particles, width, height):
    for particle in particles:
        particle.x += particle.dx
        particle.y += particle.dy
        if not 0 <= particle.x < width:
            particle.dx = -particle.dx
            particle.bounces += 1
        if not 0 <= particle.y < height:
            particle.dy = -particle.dy
            particle.bounces += 1


@compiled
def energy(particles):
    return sum([particle.dx * particle.dx + particle.dy * particle.dy for particle in particles])


@compiled
def kick(particle, times):
    for _ in range(times):
        particle.dx *= 1.0


def make():
    return [Particle() for _ in range(50)]


def run(particles, turns):
    for _ in range(turns):
        step(particles, 100.0, 100.0)
        energy(particles)
        kick(particles[0], 50)
