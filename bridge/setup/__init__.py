# SPDX-License-Identifier: GPL-3.0-or-later
"""How the engine's Python comes to a machine: what is in the machine, the build of PyTorch that fits it, and the
program that installs it. Standard library alone, for any Python runs it."""
