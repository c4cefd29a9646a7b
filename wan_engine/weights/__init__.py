# SPDX-License-Identifier: GPL-3.0-or-later
"""Tensors in files: containers, headers, names, number formats, LoRA."""
