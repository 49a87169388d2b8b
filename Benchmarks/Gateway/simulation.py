"""simulation.py: a gateway as a small queueing network, by discrete events: clients that each wait for their answer, threads that share
processors, and a log that writes for all that wait at once. What goes in is measured with one event loop; what comes out is a prediction."""
import collections
import heapq
import itertools
import random

# How a read's CPU time falls on the threads: on the loop before its decision, on the loop after it, in the log's threads (budget --profile).
BEFORE, AFTER, LOG = 0.52, 0.25, 0.23


class Processors:
    """Some processors, and the threads that may run on them. A thread does one job at a time, in the order in which they came."""

    def __init__(self, count):
        self.free = count
        self.ready = collections.deque()


class Thread:
    def __init__(self, world, processors):
        self.world, self.processors, self.jobs, self.is_scheduled = world, processors, collections.deque(), False

    def do(self, seconds, then):
        self.jobs.append((seconds, then))
        self.schedule()

    def schedule(self):
        if not self.is_scheduled and self.jobs:
            self.is_scheduled = True
            self.processors.ready.append(self)
            self.world.dispatch(self.processors)


class World:
    def __init__(self):
        self.now, self.events, self.numbers = 0.0, [], itertools.count()

    def after(self, seconds, call):
        heapq.heappush(self.events, (self.now + seconds, next(self.numbers), call))

    def dispatch(self, processors):
        while processors.free and processors.ready:
            processors.free -= 1
            thread = processors.ready.popleft()
            seconds, then = thread.jobs.popleft()
            self.after(seconds, lambda thread=thread, then=then: self.finish(thread, then))

    def finish(self, thread, then):
        thread.processors.free += 1
        thread.is_scheduled = False
        then()
        thread.schedule()
        self.dispatch(thread.processors)

    def run(self, until):
        while self.events and self.events[0][0] < until:
            self.now, _, call = heapq.heappop(self.events)
            call()


def gateway(cpu_seconds, load_seconds, disk_p50, disk_p99, connections, loops=1, processors=1, load_has_its_own=True, entry_bytes=900,
            disk_bytes_per_second=1e9, seconds=2.0, seed=1):
    """Requests a second, and p50 and p99 in seconds, of so many connections that always have one request under way."""
    world, chance = World(), random.Random(seed)
    server_side = Processors(processors)
    load = Thread(world, Processors(1) if load_has_its_own else server_side)
    workers = [Thread(world, server_side) for _ in range(loops)]
    log, waiting, state, taken = Thread(world, server_side), [], {"is_writing": False}, []

    def send(connection):
        started = world.now
        worker = workers[connection % loops]
        load.do(load_seconds / 2, lambda: worker.do(cpu_seconds * BEFORE, lambda: record(connection, started, worker)))

    def record(connection, started, worker):
        waiting.append((connection, started, worker))
        commit()

    def commit():
        if state["is_writing"] or not waiting:
            return
        state["is_writing"] = True
        group = waiting[:]
        waiting.clear()
        tail = chance.random() < 0.02
        write = (disk_p99 if tail else disk_p50) + len(group) * entry_bytes / disk_bytes_per_second
        log.do(cpu_seconds * LOG * len(group), lambda: world.after(write, lambda: settle(group)))

    def settle(group):
        state["is_writing"] = False
        for connection, started, worker in group:
            worker.do(cpu_seconds * AFTER, lambda c=connection, s=started: load.do(load_seconds / 2, lambda: answered(c, s)))
        commit()

    def answered(connection, started):
        if world.now > seconds * 0.2:
            taken.append(world.now - started)
        send(connection)

    for connection in range(connections):
        send(connection)
    world.run(seconds)
    taken.sort()
    return {"per_second": len(taken) / (seconds * 0.8), "p50": taken[len(taken) // 2], "p99": taken[len(taken) * 99 // 100]}
