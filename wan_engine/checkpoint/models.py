# SPDX-License-Identifier: GPL-3.0-or-later
"""The published models as data, one row each: what the transformer reads, and the defaults its makers sample with.

Detection, planning, the memory plan, `inspect`, Blender's side and `download` read the row. A model that is published
later is one more row, and where it has tensors that no other has, one more module.

Values from `wan/configs/*.py` and `generate.py` of the original 2.1 and 2.2 implementations.
"""

from __future__ import annotations

from dataclasses import replace

from .model import NEGATIVE, SIZES_480, SIZES_720_480, Model

T2V_A14B = Model(
    title="Wan2.2 T2V-A14B",
    name="Wan2.2-T2V-A14B",
    repo="Wan-AI/Wan2.2-T2V-A14B",
    experts=2,
    dim=5120,
    modes=("text",),
    shift=12.0,
    steps=40,
    guide=(3.0, 4.0),
    boundary=0.875,
)
I2V_A14B = Model(
    title="Wan2.2 I2V-A14B",
    name="Wan2.2-I2V-A14B",
    repo="Wan-AI/Wan2.2-I2V-A14B",
    inputs=("noise", "mask", "picture"),
    experts=2,
    merged=True,
    dim=5120,
    shift=5.0,
    steps=40,
    guide=(3.5, 3.5),
    boundary=0.9,
)
TI2V_5B = Model(
    title="Wan2.2 TI2V-5B",
    name="Wan2.2-TI2V-5B",
    repo="Wan-AI/Wan2.2-TI2V-5B",
    latent_channels=48,
    dim=3072,
    modes=("first", "text"),
    fit="cover",
    held=True,
    shift=5.0,
    steps=50,
    guide=(5.0, 5.0),
    frame_counts=(121,),
    fps=24.0,
    sizes=((1280, 704), (704, 1280)),
)
T2V_1_3B_V21 = Model(
    title="Wan2.1 T2V-1.3B",
    name="Wan2.1-T2V-1.3B",
    repo="Wan-AI/Wan2.1-T2V-1.3B",
    dim=1536,
    modes=("text",),
    shift=5.0,
    steps=50,
    guide=(5.0, 5.0),
    sizes=SIZES_480,
)
T2V_14B_V21 = replace(
    T2V_1_3B_V21,
    title="Wan2.1 T2V-14B",
    name="Wan2.1-T2V-14B",
    repo="Wan-AI/Wan2.1-T2V-14B",
    dim=5120,
    sizes=SIZES_720_480,
)
I2V_14B_V21 = Model(
    title="Wan2.1 I2V-14B",
    name="Wan2.1-I2V-14B-720P",
    repo="Wan-AI/Wan2.1-I2V-14B-720P",
    inputs=("noise", "mask", "picture"),
    modules=frozenset({"clip"}),
    dim=5120,
    modes=("first", "first_last"),  # trained with a first picture only
    shift=5.0,
    small_shift=3.0,
    steps=40,
    guide=(5.0, 5.0),
    negative="镜头晃动，" + NEGATIVE,
)
I2V_14B_480P_V21 = replace(
    I2V_14B_V21,
    title="Wan2.1 I2V-14B-480P",
    name="Wan2.1-I2V-14B-480P",
    repo="Wan-AI/Wan2.1-I2V-14B-480P",
    named="480p",
    sizes=SIZES_480,
)
FLF2V_14B_V21 = Model(
    title="Wan2.1 FLF2V-14B",
    name="Wan2.1-FLF2V-14B",
    repo="Wan-AI/Wan2.1-FLF2V-14B-720P",
    inputs=("noise", "mask", "picture"),
    modules=frozenset({"clip", "clip_of_two"}),
    dim=5120,
    modes=("first_last",),
    shift=16.0,
    steps=50,
    guide=(5.0, 5.0),
    negative="镜头切换，镜头晃动，" + NEGATIVE,
)
# The Fun models of VideoX-Fun: control by a clip or a camera, or pictures alone, whose tensors may be those of I2V.
_FUN_NAMED = r"fun.*inp|videox-fun"
FUN_A14B_INP = Model(
    title="Wan2.2 Fun-A14B-InP",
    name="Wan2.2-Fun-A14B-InP",
    repo="alibaba-pai/Wan2.2-Fun-A14B-InP",
    inputs=("noise", "mask", "picture"),
    experts=2,
    merged=True,
    dim=5120,
    named=_FUN_NAMED,
    modes=("first_last", "first", "text"),
    fit="resize",
    shift=5.0,
    steps=50,
    guide=(6.0, 6.0),
    boundary=0.9,
    sizes=SIZES_480,
    solver="flow",
)
FUN_A14B_CONTROL = replace(
    FUN_A14B_INP,
    title="Wan2.2 Fun-A14B-Control",
    name="Wan2.2-Fun-A14B-Control",
    repo="alibaba-pai/Wan2.2-Fun-A14B-Control",
    inputs=("noise", "control", "mask", "picture"),
    modules=frozenset({"reference"}),
    named="",
    controls=("control_video", "control_share", "reference"),
    sizes=((480, 832), (832, 480)),
)
FUN_A14B_CAMERA = replace(
    FUN_A14B_INP,
    title="Wan2.2 Fun-A14B-Control-Camera",
    name="Wan2.2-Fun-A14B-Control-Camera",
    repo="alibaba-pai/Wan2.2-Fun-A14B-Control-Camera",
    modules=frozenset({"camera"}),
    named="",
    controls=("camera",),
)
FUN_5B_INP = replace(
    FUN_A14B_INP,
    title="Wan2.2 Fun-5B-InP",
    name="Wan2.2-Fun-5B-InP",
    repo="alibaba-pai/Wan2.2-Fun-5B-InP",
    latent_channels=48,
    experts=1,
    merged=False,
    dim=3072,
    named="",
    held=True,
    boundary=None,
    frame_counts=(121,),
    fps=24.0,
    sizes=((1280, 704), (704, 1280)),
)
FUN_5B_CONTROL = replace(
    FUN_5B_INP,
    title="Wan2.2 Fun-5B-Control",
    name="Wan2.2-Fun-5B-Control",
    repo="alibaba-pai/Wan2.2-Fun-5B-Control",
    inputs=FUN_A14B_CONTROL.inputs,
    modules=FUN_A14B_CONTROL.modules,
    controls=FUN_A14B_CONTROL.controls,
    steps=40,
    sizes=((704, 1280), (1280, 704)),
)
FUN_5B_CAMERA = replace(
    FUN_5B_INP,
    title="Wan2.2 Fun-5B-Control-Camera",
    name="Wan2.2-Fun-5B-Control-Camera",
    repo="alibaba-pai/Wan2.2-Fun-5B-Control-Camera",
    modules=FUN_A14B_CAMERA.modules,
    controls=FUN_A14B_CAMERA.controls,
    frame_counts=(81,),
)
FUN_14B_INP_V21 = replace(
    FUN_A14B_INP,
    title="Wan2.1 Fun-V1.1-14B-InP",
    name="Wan2.1-Fun-V1.1-14B-InP",
    repo="alibaba-pai/Wan2.1-Fun-V1.1-14B-InP",
    modules=frozenset({"clip"}),
    experts=1,
    merged=False,
    other_shift=3.0,
    boundary=None,
)
FUN_14B_CONTROL_V21 = replace(
    FUN_14B_INP_V21,
    title="Wan2.1 Fun-V1.1-14B-Control",
    name="Wan2.1-Fun-V1.1-14B-Control",
    repo="alibaba-pai/Wan2.1-Fun-V1.1-14B-Control",
    inputs=("noise", "control", "start"),
    modules=frozenset({"clip", "reference"}),
    named="",
    modes=("first", "text"),
    controls=FUN_A14B_CONTROL.controls,
    frame_counts=(49,),
    sizes=FUN_A14B_CONTROL.sizes,
)
FUN_14B_CONTROL_V10 = replace(
    FUN_14B_CONTROL_V21,
    title="Wan2.1 Fun-14B-Control",
    name="Wan2.1-Fun-14B-Control",
    repo="alibaba-pai/Wan2.1-Fun-14B-Control",
    modules=frozenset({"clip"}),
)
FUN_14B_CAMERA_V21 = replace(
    FUN_14B_CONTROL_V21,
    title="Wan2.1 Fun-V1.1-14B-Control-Camera",
    name="Wan2.1-Fun-V1.1-14B-Control-Camera",
    repo="alibaba-pai/Wan2.1-Fun-V1.1-14B-Control-Camera",
    inputs=("noise", "start"),
    modules=frozenset({"clip", "camera"}),
    controls=("camera", "reference"),
    frame_counts=(81,),
    sizes=SIZES_480,
)


def small_of(row: Model) -> Model:
    """The small one of two 2.1 models that are alike in all but their width."""
    names = {key: getattr(row, key).replace("14B", "1.3B") for key in ("title", "name", "repo")}
    return replace(row, dim=1536, **names)


FUN_V21 = (FUN_14B_INP_V21, FUN_14B_CONTROL_V21, FUN_14B_CONTROL_V10, FUN_14B_CAMERA_V21)
VACE_1_3B_V21 = replace(
    T2V_1_3B_V21,
    title="Wan2.1 VACE-1.3B",
    name="Wan2.1-VACE-1.3B",
    repo="Wan-AI/Wan2.1-VACE-1.3B",
    modules=frozenset({"vace"}),
    controls=("control_video", "control_mask", "control_scale", "reference"),
    shift=16.0,
)
VACE_14B_V21 = replace(
    VACE_1_3B_V21,
    title="Wan2.1 VACE-14B",
    name="Wan2.1-VACE-14B",
    repo="Wan-AI/Wan2.1-VACE-14B",
    dim=5120,
    sizes=SIZES_720_480,
)
VACE_FUN_A14B = replace(
    T2V_A14B,
    title="Wan2.2 VACE-Fun-A14B",
    name="Wan2.2-VACE-Fun-A14B",
    repo="alibaba-pai/Wan2.2-VACE-Fun-A14B",
    modules=VACE_1_3B_V21.modules,
    controls=VACE_1_3B_V21.controls,
    fit="resize",
    steps=50,
    guide=(5.0, 5.0),
    sizes=SIZES_480,
)
# Two experts over the 2.2 autoencoder are nobody else's; `wan_previs.json` beside them states their defaults.
NANO = replace(I2V_A14B, title="Wan Previs nano", name="", repo="", latent_channels=48, merged=False, dim=256)
NANO_CONTROL, NANO_CAMERA = (
    replace(NANO, inputs=row.inputs, modules=row.modules, controls=row.controls, modes=row.modes, fit=row.fit)
    for row in (FUN_5B_CONTROL, FUN_5B_CAMERA)
)

ROWS = (
    T2V_A14B,
    I2V_A14B,
    TI2V_5B,
    T2V_1_3B_V21,
    T2V_14B_V21,
    I2V_14B_V21,
    I2V_14B_480P_V21,
    FLF2V_14B_V21,
    FUN_A14B_INP,
    FUN_A14B_CONTROL,
    FUN_A14B_CAMERA,
    FUN_5B_INP,
    FUN_5B_CONTROL,
    FUN_5B_CAMERA,
    *FUN_V21,
    *map(small_of, FUN_V21),
    VACE_1_3B_V21,
    VACE_14B_V21,
    VACE_FUN_A14B,
    NANO,
    NANO_CONTROL,
    NANO_CAMERA,
)
