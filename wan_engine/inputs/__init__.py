# SPDX-License-Identifier: GPL-3.0-or-later
"""From a request to what the transformer reads: plan, prompt tokens, pictures, conditioning."""
