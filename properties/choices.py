# SPDX-License-Identifier: GPL-3.0-or-later
"""What the settings let one choose from, in the sidebar's words."""

from __future__ import annotations

MODELS = (
    ("NANO", "Nano", "The small model that comes with Wan Previs: quick and rough, for trying things out"),
    ("CUSTOM", "From Folder", "A model in a folder of yours"),
)


# The numbers are what files store: an item keeps its own for good.
MODES = (
    ("AUTO", "Automatic", "The best that the model can do: first and last frame, else the first, else the prompt", 3),
    ("FIRST_LAST", "First and Last Frame", "The clip starts and ends with the scene as Blender renders it", 0),
    ("FIRST", "First Frame", "The clip starts with the scene as Blender renders it, the rest is free", 1),
    ("TEXT", "Prompt Only", "The clip follows the prompt alone; nothing is rendered in Blender", 2),
)


SIZES = (
    ("MODEL", "As the Model Likes", "The size that the model was made for"),
    ("CUSTOM", "Choose", "An area of your own, as width and height; the clips have the scene's shape"),
)


PRECISIONS = (
    ("auto", "Automatic", "Half for large models, full for small ones", 3),
    ("float32", "Full", "Exact, and needs the most memory", 0),
    ("bfloat16", "Half", "Half the memory; best for large models", 1),
    ("float16", "Half, for Older GPUs", "Half the memory, for graphics cards that do not know the other half", 2),
)


GUIDES = (
    ("off", "Off", "The model alone decides how the light goes"),
    ("gentle", "Gentle", "While the clip is made, its light is led along the scene's"),
    ("strict", "Strict", "The light is held to the scene's, also where the model would rather not"),
)


TRUTHS = (
    (
        "brief",
        "Scene's Facts",
        "Sun, lamps and sky tell how the light changes; costs nothing, but knows nothing of what comes into view",
    ),
    (
        "render",
        "Small Renders",
        "A few tiny renders of the shot tell how bright it is; takes some seconds, and the light follows closely",
    ),
)


OFFLOADS = (
    ("auto", "Automatic", "As much of the model as fits into the memory that is free when the clip is made", 3),
    ("none", "Keep All", "The whole model stays in memory: fastest", 0),
    ("expert", "One Expert", "Only the part of the model that works is in memory", 1),
    ("block", "Block by Block", "The least memory, and the slowest", 2),
)


PRESETS = (
    ("NONE", "None", "Sampled as the model was published"),
    ("lightning", "Lightning", "Four steps, for models or LoRAs that were distilled for that"),
)


LEAST_REFINING = 0.05  # below that the model would change nothing


UPSCALES = (
    ("0", "Off", "As large as the model made it"),
    ("2", "2x", "Twice as wide and high"),
    ("4", "4x", "Four times as wide and high"),
)


CODECS = (
    ("h264", "H.264", "Small files for viewing and the Sequencer"),
    ("prores", "ProRes", "ProRes 422 HQ, for editing elsewhere"),
    ("png", "PNG", "A sequence of pictures, as the clip looks"),
    ("exr", "OpenEXR", "A sequence of pictures in linear light"),
)


EXPERTS = (
    ("both", "Both", "For both experts, and for models with one transformer"),
    ("high", "High Noise", "For the expert that lays out the picture"),
    ("low", "Low Noise", "For the expert that works out the details"),
    ("auto", "By Name", "For the expert that the file's name tells, such as high_noise; else for both"),
)
