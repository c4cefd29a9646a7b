# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that use the product from outside: the demo and its pictures."""
