# SPDX-License-Identifier: GPL-3.0-or-later
"""Speed and memory beside Diffusers, in one run on one machine."""
