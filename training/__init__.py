# SPDX-License-Identifier: GPL-3.0-or-later
"""How the shipped nano checkpoint is made: scenes, autoencoder, text encoder and experts, scoring."""
