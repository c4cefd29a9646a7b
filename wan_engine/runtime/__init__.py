# SPDX-License-Identifier: GPL-3.0-or-later
"""Where networks live while they work: memory plan, offload, several processes."""
