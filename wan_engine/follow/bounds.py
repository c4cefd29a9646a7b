# SPDX-License-Identifier: GPL-3.0-or-later
"""What a clip may differ from its scene by, and how much must be seen before anything is told: every bound of it.

Lengths are in pixels of the working pictures.
"""

from __future__ import annotations

WORKING_SIDE = 320  # pixels, the longer side of the pictures that motion is looked for in
REACH = 40  # by which an outline is looked for away from its place

# Motion. A point agrees that goes as far as the scene's, within the larger of these.
SPAN_MOTION = 8.0  # that points go in a span of frames, where that is not too long
LONGEST_SPAN = 16  # frames
MOVES = 2.0  # a point that goes farther in a span moves
OFF, OFF_OF_WAY = 1.5, 0.4
OFF_STILL = 3.0  # where nothing moves in a span of the scene
LEAST_KNOWN, LEAST_POINTS = 12, 6  # ways that are known of some frames, and points that go them, before these can stray
POOLED = 5  # frames whose ways are taken together, at most
ELSEWHERE = 0.7  # share of the known ways that may go elsewhere
IN_A_ROW = 2  # frames of which more do, before the clip strays
KNOWN_FRAMES = 0.25  # share of the frames in which the scene moves, of which more must be known before a clip follows

# Subjects: things of so large a share of the picture, of whose outline so many points are in front.
SUBJECT_AREA = 0.008, 0.35
OUTLINE_POINTS = 12
AT_BORDER = 0.1  # share of the border of the picture that a subject may take: more is a backdrop
CUT_OFF = 0.35  # share of a subject's rim (as of a square of its area) on that border: more is a wall, or cut in two
SUBJECTS = 6  # the largest
# At so many times, and at more than so large a share of those looked at, something is wrong.
TIMES = {"missing": (4, 0.5), "displaced": (4, 0.75), "doubled": (4, 0.5)}
NEAR = 2.0  # that an outline may lie off
DISPLACED = 3.5
DISPLACED_FAR = 20.0  # from which on its place is to show what is around, as where it is missing
FITS_ELSEWHERE = 0.8  # of the best fit, that the fit at its place is less
PLAIN_FIT = 0.15  # by which an outline fits better at its best place than anywhere, before it is looked at
# A thing is missing where so large a share of the colours seen in its place are those of what is around, too, and its
# outline fits there better than elsewhere by less than this (the difference, and a tenth of it in spreads of the fit).
MISSING = (0.4, 0.335), (0.7, 0.5)
CLUTTER = 0.45  # mean fit elsewhere, from which on edges are everywhere and
BLENDS_IN_CLUTTER = 0.7  # more of the colours must be those of what is around
COPY = 0.4  # by how much a copy has the subject's colours and outline, of 1, at least
