# SPDX-License-Identifier: GPL-3.0-or-later
"""The English text of a structured prompt."""
