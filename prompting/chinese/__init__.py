# SPDX-License-Identifier: GPL-3.0-or-later
"""The Chinese text of a structured prompt."""
