"""The simulated city: all producers of a city of 1.2 million people, in one process.

The core is pure: `simulate` gives records in the order of their arrival, for a seed always the same. The clock, the
pace and the door through which the records leave are thin things at the rim (`run`, `doors`).
"""

from pipeline.simulator.doors import Door, DoorError, DoorStoppedError, FileDoor, HttpDoor, KafkaDoor
from pipeline.simulator.incidents import Incident, IncidentError, parse_incident
from pipeline.simulator.options import FaultRates, SimulationOptions
from pipeline.simulator.records import Record, RecordError, read_records, write_record
from pipeline.simulator.run import Progress, StateError, run_backfill_and_realtime
from pipeline.simulator.simulation import Emission, Simulation, simulate

__all__ = [
    "Door",
    "DoorError",
    "DoorStoppedError",
    "Emission",
    "FaultRates",
    "FileDoor",
    "HttpDoor",
    "Incident",
    "IncidentError",
    "KafkaDoor",
    "Progress",
    "Record",
    "RecordError",
    "Simulation",
    "SimulationOptions",
    "StateError",
    "parse_incident",
    "read_records",
    "run_backfill_and_realtime",
    "simulate",
    "write_record",
]
