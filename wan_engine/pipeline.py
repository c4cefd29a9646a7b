# SPDX-License-Identifier: GPL-3.0-or-later
"""From a request to a clip. One denoise loop serves text, picture, first and last picture, and text with picture.

A loaded `Pipeline` serves any number of requests; networks are opened when first needed.
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from torch import Tensor

from . import video
from .checkpoint import Checkpoint, open_checkpoint
from .plan import Plan, make_plan, noise
from .request import DTYPES, OFFLOADS, Cancelled, GenerationError, GenerationRequest, UsageError
from .solvers import make_solver
from .t5 import T5Encoder
from .text import PromptTokenizer
from .transformer import Context, WanTransformer
from .vae import WanVAE

REPORT_SCHEMA = "wan_previs.report/1"
OnEvent = Callable[[dict], None]


@dataclass(frozen=True)
class Conditioning:
    """How the picture enters the loop.

    `channels` [1, 4 + z, t, h, w] (mask and condition) is stacked under the noisy latents. `held` [z, 1, h, w] is the
    first latent frame that is put back after every step while its tokens are told timestep 0. Both None: text alone.
    """

    channels: Tensor | None = None
    held: Tensor | None = None

    def model_input(self, x: Tensor) -> Tensor:
        """[z, t, h, w] to the transformer's [1, in_dim, t, h, w]."""
        return x[None] if self.channels is None else torch.cat([x[None], self.channels], 1)

    def impose(self, x: Tensor) -> Tensor:
        return x if self.held is None else torch.cat([self.held, x[:, 1:]], 1)

    def timestep(self, t: Tensor, x: Tensor) -> Tensor:
        """[1], or [1, tokens] with 0 for the tokens of the held frame (patches of 2x2 in t, h, w order)."""
        t = t.float().to(x.device)
        if self.held is None:
            return t[None]
        frame = x.shape[2] // 2 * (x.shape[3] // 2)
        times = t.repeat(x.shape[1] * frame)
        times[:frame] = 0
        return times[None]


class Pipeline:
    """The networks of one checkpoint. At most one expert is in memory.

    `offload` "none" keeps the text encoder, the autoencoder and the expert used last for the next clip; "expert" holds
    nothing but the network at work.
    """

    def __init__(self, checkpoint: Checkpoint, dtype: str, offload: str) -> None:
        self.checkpoint = checkpoint
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self._dtype = getattr(torch, dtype)
        self._keep = offload == "none"
        self._expert: tuple[str, WanTransformer] | None = None
        self._text_encoder: T5Encoder | None = None
        self._vae: WanVAE | None = None

    def generate(
        self,
        request: GenerationRequest,
        folder: Path = Path("."),
        on_event: OnEvent = lambda event: None,
        should_cancel: Callable[[], bool] = lambda: False,
    ) -> dict[str, Any]:
        """Make the clip that `request` asks for, files relative to `folder`; returns the report.

        Raises UsageError, CheckpointError, GenerationError or Cancelled; a clip is then never left half written.
        """
        request.validate()
        _check_places(request, folder)
        run = _Run(on_event, should_cancel)
        with torch.inference_mode():
            with run.stage("load"):
                plan = self._plan(request, folder)
            with run.stage("encode_text"):
                texts = self._encode_texts(plan)
            with run.stage("encode_image"):
                conditioning = self._condition(plan)
            with run.stage("denoise"):
                latents, sigmas = self._denoise(plan, texts, conditioning, run)
            with run.stage("decode"):
                frames = self._decode(latents, run)
        with run.stage("finish"):
            clip = _finish(request, plan, frames, latents, sigmas, folder)
        report = self._report(request, plan, run, clip)
        if request.report is not None:
            text = json.dumps(report, indent=1, ensure_ascii=False)
            video.write_whole(folder / request.report, lambda partial: partial.write_text(text, encoding="utf-8"))
        return report

    def _plan(self, request: GenerationRequest, folder: Path) -> Plan:
        plan = make_plan(request, self.checkpoint, self._open_vae().stride, folder)
        self._release()
        return plan

    def _encode_texts(self, plan: Plan) -> list[Tensor]:
        """[L, text_dim] rows of the prompt, and of the negative prompt when any step is guided."""
        needed = plan.guide if plan.boundary is not None else plan.guide[:1]
        prompts = [plan.prompt] if all(g == 1 for g in needed) else [plan.prompt, plan.negative]
        tokenizer = PromptTokenizer(self.checkpoint.tokenizer, self.checkpoint.config.text_len)
        encoder = self._open_text_encoder()
        rows = []
        for prompt in prompts:
            ids = torch.tensor([tokenizer(prompt)], device=self.device)
            rows.append(encoder(ids)[0].float())
        self._release()
        return rows

    def _encode(self, frames: Tensor) -> Tensor:
        """[3, T, H, W] in -1..1 to normalised latents [z, t, h, w]."""
        latents = self._open_vae().encode(frames[None].to(self.device))[0]
        self._release()
        return latents

    def _condition(self, plan: Plan) -> Conditioning:
        """The pictures as latents, in the form the transformer was trained to read them."""
        shape = plan.latent_shape
        if not self.checkpoint.channel_conditioned:
            return Conditioning() if plan.first is None else Conditioning(held=self._encode(plan.first[:, None]))
        if plan.first is None:  # trained with mask and condition left empty for text alone
            return Conditioning(channels=torch.zeros(1, 4 + shape[0], *shape[1:], device=self.device))
        condition = torch.zeros(3, plan.frames, plan.size[1], plan.size[0])
        mask = torch.zeros(plan.frames)
        condition[:, 0], mask[0] = plan.first, 1
        if plan.last is not None:
            condition[:, -1], mask[-1] = plan.last, 1
        # A latent frame stands for four pixel frames, the first one for a single frame that is counted four times.
        mask = torch.cat([mask[:1].repeat(4), mask[1:]]).reshape(shape[1], 4).T
        mask = mask[:, :, None, None].expand(4, *shape[1:])
        return Conditioning(channels=torch.cat([mask.to(self.device), self._encode(condition)])[None])

    def _denoise(self, plan: Plan, texts: list[Tensor], conditioning: Conditioning, run: _Run) -> tuple[Tensor, Tensor]:
        """The loop: final latents [z, t, h, w] and sigmas [steps + 1], float32 throughout."""
        solver = make_solver(plan.solver, plan.steps, plan.shift)
        x = conditioning.impose(noise(plan.seed, plan.latent_shape).to(self.device))
        expert = ""
        network: WanTransformer | None = None
        contexts: list[Context] = []
        for k, t in enumerate(solver.timesteps):
            run.check_cancel()
            began = time.perf_counter()
            if network is None or plan.expert(float(t)) != expert:
                expert = plan.expert(float(t))
                network, contexts = None, []  # let go of the other expert first
                network = self._open_expert(expert)
                contexts = [network.embed_text([rows]) for rows in texts]
            velocity = self._velocity(network, plan.guidance(expert), contexts, x, t, conditioning)
            x = conditioning.impose(solver.step(velocity, x))
            if not torch.isfinite(x).all():
                raise GenerationError(
                    f"Step {k + 1}/{plan.steps} gave values that are no numbers; try --dtype float32 or less guidance."
                )
            run.step(k + 1, plan.steps, expert, float(t), float(solver.sigmas[k]), time.perf_counter() - began)
        self._release()
        return x, solver.sigmas

    @staticmethod
    def _velocity(
        network: WanTransformer, guide: float, contexts: list[Context], x: Tensor, t: Tensor, conditioning: Conditioning
    ) -> Tensor:
        """Guided prediction [z, t, h, w]; the unconditional pass only where guidance uses it."""
        inputs, times = conditioning.model_input(x), conditioning.timestep(t, x)
        conditional = network(inputs, times, contexts[0])[0].float()
        if guide == 1:
            return conditional
        unconditional = network(inputs, times, contexts[1])[0].float()
        return unconditional + guide * (conditional - unconditional)

    def _decode(self, latents: Tensor, run: _Run) -> np.ndarray:
        """uint8 [T, H, W, 3], decoded a few frames at a time."""
        chunks = []
        for chunk in self._open_vae().decode_stream(latents[None]):
            run.check_cancel()
            if not torch.isfinite(chunk).all():
                raise GenerationError(
                    "The decoded frames hold values that are no numbers; the autoencoder may be damaged."
                )
            pixels = (chunk[0].clamp(-1, 1) + 1) / 2 * 255
            chunks.append(pixels.to(torch.uint8).permute(1, 2, 3, 0).cpu().numpy())
        return np.concatenate(chunks)

    def _open_expert(self, name: str) -> WanTransformer:
        if self._expert is None or self._expert[0] != name:
            self._expert = None
            self._expert = name, self.checkpoint.load_transformer(name, self._dtype, self.device)
        return self._expert[1]

    def _open_text_encoder(self) -> T5Encoder:
        if self._text_encoder is None:
            self._text_encoder = self.checkpoint.load_text_encoder(self._dtype, self.device)
        return self._text_encoder

    def _open_vae(self) -> WanVAE:
        if self._vae is None:
            self._vae = self.checkpoint.load_vae(self.device)
        return self._vae

    def _release(self) -> None:
        """A network has done its work: let go of it unless networks are kept for the next clip."""
        if not self._keep:
            self._expert = self._text_encoder = self._vae = None

    def _report(self, request: GenerationRequest, plan: Plan, run: _Run, clip: dict[str, Any]) -> dict[str, Any]:
        return {
            "schema": REPORT_SCHEMA,
            "request": request.to_json(),
            "model": self.checkpoint.model.title,
            "size": list(plan.size),
            "frames": plan.frames,
            "fps": plan.fps,
            "seed": plan.seed,
            "negative": plan.negative,
            "solver": plan.solver,
            "shift": plan.shift,
            "guide": list(plan.guide),
            "boundary": plan.boundary,
            "dtype": str(self._dtype).removeprefix("torch."),
            "steps": run.steps,
            "seconds": run.seconds,
            "clip": clip,
            "warnings": list(plan.warnings),
            "versions": {"python": platform.python_version(), "torch": torch.__version__, "device": self.device},
        }


def load(checkpoint: str | Path, dtype: str = "float32", offload: str = "none") -> Pipeline:
    """Look through the checkpoint folder and be ready to generate; weights are read when first needed.

    Raises UsageError for an unknown option, CheckpointError for anything missing, damaged or of the wrong shape.
    """
    if dtype not in DTYPES:
        raise UsageError(f"dtype is {dtype!r}, but must be one of {', '.join(DTYPES)}.")
    if offload not in OFFLOADS:
        raise UsageError(f"offload is {offload!r}, but must be one of {', '.join(OFFLOADS)}.")
    if offload == "block":
        raise UsageError("Offloading block by block is not supported yet; use --offload expert.")
    opened = open_checkpoint(Path(checkpoint))
    opened.verify()
    return Pipeline(opened, dtype, offload)


class _Run:
    """Events, timing and cancelling of one generation."""

    def __init__(self, on_event: OnEvent, should_cancel: Callable[[], bool]) -> None:
        self._on_event = on_event
        self._should_cancel = should_cancel
        self.steps: list[dict[str, Any]] = []
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        self.check_cancel()
        self._on_event({"event": "stage", "stage": name})
        began = time.perf_counter()
        try:
            yield
        except (MemoryError, RuntimeError) as error:
            if _out_of_memory(error):
                raise GenerationError(
                    "There is not enough memory; use a smaller size, fewer frames or --dtype bfloat16."
                ) from error
            raise
        self.seconds[name] = round(time.perf_counter() - began, 3)

    def step(self, step: int, steps: int, expert: str, timestep: float, sigma: float, seconds: float) -> None:
        facts = {"step": step, "expert": expert, "timestep": timestep, "seconds": round(seconds, 3)}
        self.steps.append({**facts, "sigma": sigma})
        self._on_event({"event": "step", "steps": steps, **facts})

    def check_cancel(self) -> None:
        if self._should_cancel():
            raise Cancelled("The generation was cancelled.")


def _out_of_memory(error: Exception) -> bool:
    """On the CPU torch raises a plain RuntimeError, told by its text."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(error)


def _check_places(request: GenerationRequest, folder: Path) -> None:
    """Notice before the work, not after it, that a result cannot go where it is asked to."""
    for name in (request.out, request.latents, request.report):
        if name is not None and (folder / name).is_dir():
            raise UsageError(f"{folder / name} is a folder; give a file name.")
    if request.frames_out is not None and (folder / request.frames_out).is_file():
        raise UsageError(f"{folder / request.frames_out} is a file; give a folder for the frames.")


def _finish(
    request: GenerationRequest, plan: Plan, frames: np.ndarray, latents: Tensor, sigmas: Tensor, folder: Path
) -> dict[str, Any]:
    """Write what was asked for: latents, frames as decoded, and the clip at its exact length and rate."""
    if request.latents is not None:
        data = safetensors.torch.save({"latents": latents.cpu().contiguous(), "sigmas": sigmas})
        video.write_whole(folder / request.latents, lambda partial: partial.write_bytes(data))
    if request.frames_out is not None:
        video.write_pngs(frames, folder / request.frames_out)
    rate = video.exact_rate(request.clip_fps or plan.fps)
    clip = video.retime(frames, request.clip_frames or len(frames))
    video.write_mp4(clip, rate, folder / request.out)
    return {"path": request.out, "frames": len(clip), "fps": str(rate), "size": [clip.shape[2], clip.shape[1]]}
