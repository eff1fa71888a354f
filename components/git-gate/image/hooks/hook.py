"""Runs a hook of gate/push by its module's name."""

import importlib
import sys

sys.path.insert(0, "/opt/git-gate/lib")

sys.exit(importlib.import_module(f"gate.push.{sys.argv[1]}").main())
