# SPDX-License-Identifier: GPL-3.0-or-later
"""Our networks beside those of Diffusers and transformers: same weights, same inputs, same machine, one run."""
