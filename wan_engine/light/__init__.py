# SPDX-License-Identifier: GPL-3.0-or-later
"""The light of a clip: measured, compared with the expected curve, judged."""
