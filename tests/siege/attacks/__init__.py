"""The attacks of one tenant on all."""

from tests.siege.attacks.attack import Attack
from tests.siege.attacks.blueprints import BlueprintsToKeep, ConditionsToCheck, ConfigsToCheck
from tests.siege.attacks.connections import HalfSentRequests, StalledExports
from tests.siege.attacks.floods import Creates, DataApiReads, HostileBodies, Lists, LongLists
from tests.siege.attacks.number_bombs import ChunkOfHugeNumbers, HugeNumbersInConfig, HugeNumbersInDetails
from tests.siege.attacks.queue import QueuedRuns
from tests.siege.attacks.uploads import BlankLines, CarriageReturns, ManyUploads, RowsOutOfNothing

# A few requests suffice.
BOMBS: tuple[type[Attack], ...] = (
    ChunkOfHugeNumbers,
    HugeNumbersInDetails,
    HugeNumbersInConfig,
    ConfigsToCheck,
    ConditionsToCheck,
    BlankLines,
    CarriageReturns,
    HalfSentRequests,
    HostileBodies,
    LongLists,
    RowsOutOfNothing,
    BlueprintsToKeep,
)
# Many requests are needed. The attacks that leave most behind come last.
FLOODS: tuple[type[Attack], ...] = (StalledExports, Lists, DataApiReads, ManyUploads, Creates, QueuedRuns)
ATTACKS = BOMBS + FLOODS
