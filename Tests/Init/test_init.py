#!/usr/bin/env python3
"""All tests of mrun-init alone, without the runtime around it. As root:

    python3 Tests/Init/test_init.py [-v] [CLASS | CLASS.test ...]
"""

import sys
import unittest

sys.dont_write_bytecode = True  # the tests leave nothing behind

from test_attributes import Attributes, DamagedAttributes, Labels
from test_entering import Entering
from test_held import Held
from test_hooks import Hooks
from test_listener import Listener
from test_orders import DamagedOrders
from test_privileges import Privileges
from test_staying import Forwarding, Reaping, Staying, Terminals
from test_task import Cleanliness, Starting, WorkingDirectory

__all__ = ["Attributes", "Cleanliness", "DamagedAttributes", "DamagedOrders", "Entering", "Forwarding", "Held", "Hooks",
           "Labels", "Listener", "Privileges", "Reaping", "Starting", "Staying", "Terminals", "WorkingDirectory"]

if __name__ == "__main__":
    unittest.main()
