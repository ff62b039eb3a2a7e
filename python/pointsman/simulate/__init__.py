"""Simulated providers: seeded latencies, faults, quotas and changes over time.

Three ways to use it.

1. From a shell: `pointsman simulate --scenario cuts --config-out pointsman.yaml`, then `pointsman serve -c
   pointsman.yaml`. `--list` shows the scenarios and the kinds of fault.

2. In a test, over real sockets; what each provider saw can be asserted on:

       script = parse_script({"seed": 1, "providers": {"alpha": {"faults": {"truncate": 0.1}}, "beta": {}}})
       with serving_in_thread(Simulation(script)) as server:        # or: async with serving(...)
           base_url = server.url("alpha")                           # http://127.0.0.1:PORT/alpha/v1
           alpha = server.simulation.providers["alpha"]
           alpha.force(["ok", "disconnect"])                        # what its next two calls meet
           ...
           alpha.calls[-1].end, alpha.n_open, alpha.max_open        # "cancelled": the client left first

   Another process asserts over HTTP: `GET /_simulate`, `/_simulate/calls`; see `pointsman.simulate.control`.
   `answer: {kind: counted}` makes texts on which `check_counted` finds lost and repeated tokens.

3. In a discrete-event simulation, without sockets or waiting: `SimulatedProvider.arrive` draws a `Course`
   (when the first token comes, when the end, what fails); see `pointsman.simulate.provider`. And a whole
   router in virtual time, its own adapters and timeouts included, where it takes its time from the loop:

       async def hour(clock):
           providers = virtual_providers(Simulation(script, clock))
           async with Router(registry, providers=providers) as router: ...
       run_virtual(hour)

Same seed, script and order of calls: same faults and latencies.
"""

from pointsman.simulate.answers import check_counted
from pointsman.simulate.course import Course, draw_course
from pointsman.simulate.faults import FAULTS, FaultKind
from pointsman.simulate.provider import Ask, Call, SimulatedProvider
from pointsman.simulate.scenarios import SCENARIOS
from pointsman.simulate.script import Fault, ProviderScript, Script, load_script, parse_script
from pointsman.simulate.server import Server, serving, serving_in_thread
from pointsman.simulate.simulation import Simulation
from pointsman.simulate.transport import SimulatedTransport, virtual_providers
from pointsman.simulate.virtual import VirtualLoop, run_virtual

__all__ = [
    "FAULTS",
    "SCENARIOS",
    "Ask",
    "Call",
    "Course",
    "Fault",
    "FaultKind",
    "ProviderScript",
    "Script",
    "Server",
    "SimulatedProvider",
    "SimulatedTransport",
    "Simulation",
    "VirtualLoop",
    "check_counted",
    "draw_course",
    "load_script",
    "parse_script",
    "run_virtual",
    "serving",
    "serving_in_thread",
    "virtual_providers",
]
