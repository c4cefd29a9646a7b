# SPDX-License-Identifier: GPL-3.0-or-later
"""From a request to a clip.

A loaded `Pipeline` serves any number of requests; networks are opened when first needed.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from torch import Tensor

from . import devices
from .checkpoint.checkpoint import Checkpoint, open_checkpoint
from .checkpoint.sizes import Size
from .errors import GenerationError, UsageError, reason_of
from .finishing.finish import Redraw, check_finish, deliver, enlarged, repaired
from .finishing.places import check_places
from .inputs.conditioning import condition, encode_texts
from .inputs.images import as_pixels
from .inputs.plan import Plan, make_plan
from .inputs.prompt_cache import PromptCache
from .media.atomic_write import write_json, write_whole
from .media.frame_store import Frames, FrameStore
from .media.video_writer import write_clip
from .networks import attention as attentions
from .networks.latent_rgb import LightMap, fit_light_map
from .options import AUTO, DTYPE, OFFLOAD
from .reports.follow_report import measure_follow
from .reports.generation_report import generation_report
from .reports.light_report import draw_page, measure_clip, tell_guide
from .request import GenerationRequest
from .request_parts import Lora
from .runtime import process_group, speed
from .runtime.automatic import automatic_dtype, best_of, choices, nearest_that_fits, refusal
from .runtime.memory_plan import MemoryPlan, MemorySettings, available_memory, plan_memory
from .runtime.model_pool import LoadOptions, ModelPool, non_finite
from .runtime.run import OnEvent, Run
from .sampling.denoise import Denoiser, SamplingOptions
from .sampling.light_guide import LightController
from .sampling.preview import write_preview
from .sampling.refine import Refiner, refined_plan, with_light_of
from .sampling.resume import ResumeFile, fingerprint, remove_states, state_file
from .sampling.segments import in_segments, light_of
from .saved_state import weights_of
from .weights.lora import lora_notes

_ANY_SIDE = 4096  # in pixels: tiles of every side are smaller


class Pipeline:
    """One checkpoint, ready to generate. What stays in memory between clips is up to its `pool`.

    `dtype` and `offload` are as they were asked for; with auto, which of them `options` says is our choice. `notes` are
    what every clip's report tells about what was loaded.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        options: LoadOptions,
        dtype: str,
        offload: str,
        device: str,
        notes: Sequence[str] = (),
    ) -> None:
        self.checkpoint = checkpoint
        self.notes = tuple(notes)
        self._dtype, self._offload = dtype, offload
        self._tiles = 0  # of the clip at work
        self._spent: list[tuple[str, int]] = []  # offloads and tiles with which memory ran out for it
        self.device = device
        self.pool = ModelPool(checkpoint, options, self.device)
        self._light_map: LightMap | None = None

    def generate(
        self,
        request: GenerationRequest,
        folder: Path = Path("."),
        on_event: OnEvent = lambda event: None,
        should_cancel: Callable[[], bool] = lambda: False,
    ) -> dict[str, Any]:
        """Make the clip that `request` asks for, files relative to `folder`; returns the report.

        Of several processes that work on one clip only the first tells events and writes files.

        Raises UsageError, CheckpointError, GenerationError or Cancelled; a clip is then never left half written.
        """
        request.validate()
        check_finish(request, folder)
        check_places(request, folder)
        first = process_group.rank() == 0
        run = Run(on_event if first else lambda event: None, should_cancel)
        self._spent = []
        while True:
            try:
                return self._generated(request, folder, run)
            except _NotEnoughMemory:
                self._spent.append((self.pool.options.offload, self._tiles))
                if run.steps or process_group.active() or not self._choices(request, request.size or (_ANY_SIDE, 0)):
                    raise  # what is done is kept, for Continue
                run.note("There was less memory than planned; the clip is begun again with settings that need less.")

    def _generated(self, request: GenerationRequest, folder: Path, run: Run) -> dict[str, Any]:
        """As `generate`, once. Raises _NotEnoughMemory where that runs out, with everything let go of."""
        first = process_group.rank() == 0
        with self._device_errors_in_words(run), torch.inference_mode():
            with run.stage("load"):
                plan = self._plan(request, folder)
                for words in (*plan.warnings, *self.notes):
                    run.note(words)
                if request.refine and process_group.active():
                    raise UsageError("Several devices cannot refine a clip; leave out --refine.")
                larger = [refined_plan(plan, 2, request.refine)] if request.refine else []
                self._check_memory(request, [plan, *larger], run)
            with run.stage("encode_text"):
                texts = process_group.from_first(lambda: self._encode_texts(request, plan, folder, run))
            frames = FrameStore(folder, *plan.size[::-1]) if first else None
            latents, sigmas = self._sample(request, plan, texts, frames, folder, run)
            self._remember_speed(request, plan, run)
            if frames is None:
                return generation_report(request, plan, self.pool, run, {})
            with run.stage("finish"):
                _keep(request, latents, sigmas, frames, folder, run)
                mended = _repaired(request, plan, frames, run)
                clip = enlarged(mended, request, folder, self._redraw(request, plan, texts, folder, run))
                facts, delivered = deliver(clip, (plan.frames, *plan.size[::-1]), request, plan.fps, folder)
            if request.page is not None:
                with run.stage("measure"), run.sparing("The light could not be measured"):
                    measure_clip(request, plan, frames, delivered, run)
                with run.sparing("Whether the clip follows the scene could not be measured"):
                    measure_follow(request, delivered, folder, run)
        report = generation_report(request, plan, self.pool, run, facts)
        if request.page is not None and "verdict" in report.get("light", {}):
            draw_page(report, delivered, request.light, request.sun, folder / request.page, run)
        if request.report is not None:
            with run.sparing("The report could not be written", "report"):
                write_json(folder / request.report, report)
        with run.sparing("The state of the steps could not be removed"):
            if request.resume is not None:
                remove_states(folder / request.resume)
        return report

    def _sample(
        self,
        request: GenerationRequest,
        plan: Plan,
        texts: list[Tensor],
        frames: FrameStore | None,
        folder: Path,
        run: Run,
    ) -> tuple[Tensor | None, Tensor]:
        """Make the clip into `frames`. Returns its latents [z, t, h, w], where they are asked for, and the sigmas."""
        sigmas = torch.empty(0)
        if plan.segments > 1:
            run.facts["segments"] = list(plan.borders)

        def sample(part: Plan, number: int) -> Tensor:
            nonlocal sigmas
            with run.stage("encode_image"):
                conditioning = process_group.from_first(lambda: condition(part, self.pool, run))
            if part.redo is not None and part.redo.keeps_all and conditioning.kept is not None:
                return conditioning.kept.latents
            with run.stage("denoise"):
                options = SamplingOptions(
                    self._resume_file(request, part, number, folder),
                    request.step_cache,
                    self._on_clean(request, folder, run),
                    self._light_controller(request, plan, number),
                    number=number,
                    segments=plan.segments,
                )
                latents, sigmas = Denoiser(part, self.pool, texts, conditioning, run, options).sample()
            return latents

        kept: list[Tensor] = []
        for latents in in_segments(plan, run, frames, sample, lambda made: self._decode(made, run)):
            if request.latents is not None:
                kept.append(latents[:, 1 if kept else 0 :].cpu())
        tell_guide(request, run)
        return torch.cat(kept, 1) if kept else None, sigmas

    def _plan(self, request: GenerationRequest, folder: Path) -> Plan:
        return make_plan(request, self.checkpoint, self.checkpoint.outline_vae().stride, folder)

    def _check_memory(self, request: GenerationRequest, plans: Sequence[Plan], run: Run) -> None:
        """Choose offload and tiles where these are left to us, and refuse what will not fit, with the plan and the
        nearest settings that do. Weights held already count as free.

        Several processes on CUDA look each at its own device; on the CPU, whose memory they share, the first looks for
        all.
        """
        offload, self._tiles = process_group.from_first(lambda: self._fitting(request, plans))
        self._use_offload(offload)
        self._tell_choice(request, run)
        options = self.pool.options
        if process_group.active():
            if options.offload == "block":
                run.note("Several processes share the blocks' weights already; --offload block works like expert here.")
            if self.device == "cpu" and process_group.rank() != 0:
                return
        memory = self._most_memory(plans, options.offload, self._tiles)
        run.memory = memory.text()
        run.facts["memory"] = {"planned_peak": memory.peak, "available": memory.available}
        if not memory.fits:
            raise GenerationError(f"{refusal(memory, nearest_that_fits(self.checkpoint, memory))}\n{run.memory}")

    def _most_memory(self, plans: Sequence[Plan], offload: str, tiles: int) -> MemoryPlan:
        """What this process will need for the one of `plans` that takes most; on the CPU what the other processes take
        is not there for it.
        """
        return max((self._memory(plan, offload, tiles) for plan in plans), key=lambda memory: memory.peak)

    def _memory(self, plan: Plan, offload: str, tiles: int) -> MemoryPlan:
        processes = process_group.world_size() if process_group.active() else 1
        settings = MemorySettings(
            size=plan.size,
            frames=plan.frames,
            segment=plan.longest if plan.segments > 1 else 0,
            dtype=str(self.pool.options.dtype).removeprefix("torch."),
            offload=offload,
            guided=any(guide != 1 for guide in plan.guide),
            pictures=plan.encodes,
            lead=plan.lead,
            window=plan.window,
            vae_tiles=tiles,
            device=self.device,
            processes=processes,
            first=process_group.rank() == 0,
        )
        available = available_memory(self.device) + self.pool.held_bytes
        if self.device == "cpu" and processes > 1:
            other = plan_memory(self.checkpoint, replace(settings, first=False), 0)
            available = max(available - (processes - 1) * other.peak, 0)
        return plan_memory(self.checkpoint, settings, available)

    def _fitting(self, request: GenerationRequest, plans: Sequence[Plan]) -> tuple[str, int]:
        """The offload and the tiles asked for, or the best with which all `plans` fit; those that need least where none
        do."""
        largest = max((plan.size for plan in plans), key=max)
        found = best_of(self._most_memory(plans, *pair) for pair in self._choices(request, largest)).settings
        return found.offload, found.vae_tiles

    def _choices(self, request: GenerationRequest, size: Size) -> list[tuple[str, int]]:
        """The offloads and tiles that may be tried, the best first."""
        return [pair for pair in choices(self._offload, request.vae_tiles, size) if pair not in self._spent]

    def _use_offload(self, offload: str) -> None:
        """Go on with another offload than the last clip's: what is held is let go of."""
        options = self.pool.options
        if offload != options.offload:
            self.pool.free()
            self.pool = ModelPool(self.checkpoint, replace(options, offload=offload), self.device)

    def _tell_choice(self, request: GenerationRequest, run: Run) -> None:
        """Note what was chosen for the user, where it is not the plain way."""
        options = self.pool.options
        dtype = str(options.dtype).removeprefix("torch.")
        chosen = [f"the precision {dtype}"] if self._dtype == AUTO and dtype != "float32" else []
        if self._offload == AUTO and options.offload != "none":
            chosen.append(f"offload {options.offload}")
        if request.vae_tiles is None and self._tiles:
            chosen.append(f"decoding in tiles of {self._tiles}")
        if chosen:
            run.note(f"Chosen for this model and the memory that is free: {_listed(chosen)}.")

    def _remember_speed(self, request: GenerationRequest, plan: Plan, run: Run) -> None:
        """For the times that are told before later clips; of whole samplings in one process alone."""
        if request.step_cache or plan.segments > 1 or plan.redo is not None or process_group.active():
            return
        done = run.steps[run.facts.get("resumed_from_step", 0) :]
        settings = self._memory(plan, self.pool.options.offload, self._tiles).settings
        operations = speed.operations_of(self.checkpoint, settings, len(done))
        speed.remember(self.device, settings.dtype, operations, sum(step["seconds"] for step in done))

    def _encode_texts(self, request: GenerationRequest, plan: Plan, folder: Path, run: Run) -> list[Tensor]:
        cache = None if request.prompt_cache is None else PromptCache(folder / request.prompt_cache, note=run.note)
        return encode_texts(plan, self.pool, run, cache)

    def _resume_file(self, request: GenerationRequest, plan: Plan, number: int, folder: Path) -> ResumeFile:
        """The state of the segment of that number, whose plan this is."""
        if request.resume is None or process_group.rank() != 0:
            return ResumeFile(None, "")
        options = self.pool.options
        settings = {
            "dtype": str(options.dtype),
            "loras": options.loras,
            "attention": options.attention,
            "compile": options.compile,
            "step_cache": request.step_cache,
            "device": devices.kind_of(self.device),
            "light": (request.light, request.light_strength),
        }
        loras = [Path(lora.path) for lora in options.loras]
        named, all_of_it = (weights_of(Path(place), *loras) for place in (request.checkpoint, self.checkpoint.folder))
        path = state_file(folder / request.resume, number)
        return ResumeFile(path, fingerprint(plan, all_of_it, settings), named)

    def _open_light_map(self, request: GenerationRequest) -> LightMap | None:
        """What reads light and colour off latents, where preview or light guide want it: the checkpoint's own, or one
        fitted once."""
        if request.preview is None and request.light_strength == "off":
            return None
        self._light_map = self._light_map or self.checkpoint.load_light_map()
        if self._light_map is None:
            self._light_map = process_group.from_first(lambda: fit_light_map(self.pool.vae()))
            self.pool.release()
        return self._light_map

    def _on_clean(self, request: GenerationRequest, folder: Path, run: Run) -> Callable[[int, Tensor], None]:
        """What to do with each step's prediction of the clean latents: draw the preview, where one is wanted."""
        path, light_map = request.preview, None
        with run.sparing("There is no preview"):
            light_map = self._open_light_map(request)
        if path is None or light_map is None or process_group.rank() != 0:
            return lambda step, latents: None

        def draw(step: int, latents: Tensor) -> None:
            with run.sparing("There is no preview"):
                write_preview(latents, light_map, folder / path)
                run.tell("preview", step=step, path=path)

        return draw

    def _light_controller(self, request: GenerationRequest, plan: Plan, number: int) -> LightController | None:
        """What holds a segment's light to the scene's; None where it is not guided."""
        light_map = self._open_light_map(request)
        if request.light is None or request.light_strength == "off" or light_map is None:
            return None
        return light_of(plan, number, request.light, request.light_strength, light_map)

    def _redraw(
        self, request: GenerationRequest, plan: Plan, texts: list[Tensor], folder: Path, run: Run
    ) -> Redraw | None:
        """The refining pass over the clip made twice as large; None where none is asked for."""
        if not request.refine:
            return None
        larger = refined_plan(plan, 2, request.refine)

        def redraw(frames: Iterable[np.ndarray]) -> Frames:
            large, redrawn = (FrameStore(folder, *larger.size[::-1]) for _ in range(2))
            for frame in frames:
                large.append(frame)
            refiner = Refiner(large, larger, self.pool, texts, run, request.refine)
            for _ in in_segments(larger, run, redrawn, refiner.refine, lambda made: self._decode(made, run)):
                pass
            return with_light_of(large, redrawn)

        return redraw

    def _decode(self, latents: Tensor, run: Run) -> Iterator[np.ndarray]:
        """The frames, uint8 [H, W, 3], of latents [z, t, h, w], decoded one by one."""
        vae = self.pool.vae()
        with run.watching(vae):
            for chunk in vae.decode_stream(latents[None], self._tiles):
                if not torch.isfinite(chunk).all():
                    raise non_finite("Decoding", self.checkpoint.vae)
                pixels = (chunk[0].clamp(-1, 1) + 1) / 2 * 255
                yield pixels[:, 0].to(torch.uint8).permute(1, 2, 0).cpu().numpy()

    @contextmanager
    def _device_errors_in_words(self, run: Run) -> Iterator[None]:
        """Out of memory: let go of everything, then say what was planned and what to do. A device that is lost: say
        so."""
        try:
            yield
        except (MemoryError, RuntimeError) as error:
            if _out_of_memory(error):
                traceback.clear_frames(error.__traceback__)  # they hold what filled the memory
                self.pool.free()
                raise _NotEnoughMemory(
                    "There is not enough memory. Use a smaller size, fewer frames, --dtype bfloat16 or --offload "
                    f"block.\n{run.memory}"
                ) from error
            if isinstance(error, torch.AcceleratorError):
                raise GenerationError(
                    f"The device {self.device} stopped working ({reason_of(error)}). Start the engine again to "
                    "continue the clip, update the device's driver where it happens again, or use --device cpu."
                ) from error
            raise


def load(
    checkpoint: str | Path,
    dtype: str = "float32",
    offload: str = "none",
    loras: tuple[Lora, ...] = (),
    attention: str = "auto",
    compile: bool = False,
    device: str = AUTO,
) -> Pipeline:
    """Look through the checkpoint folder and be ready to generate; weights are read when first needed.

    Raises UsageError for an unknown option, CheckpointError for anything missing, damaged or of the wrong shape.
    """
    for name, value, kind in (("dtype", dtype, DTYPE), ("offload", offload, OFFLOAD)):
        if not kind.accepts(value):
            raise UsageError(f"{name} is {value!r}, but must be {kind.wording}.")
    opened = open_checkpoint(Path(checkpoint))
    opened.verify()
    notes = [*opened.notes, *lora_notes(loras, {expert: file.shapes for expert, file in opened.experts.items()})]
    number = automatic_dtype(opened) if dtype == AUTO else dtype
    kept = "none" if offload == AUTO else offload  # until the first clip's plan tells what fits
    options = LoadOptions(getattr(torch, number), kept, loras, attention, compile)
    pipeline = Pipeline(opened, options, dtype, offload, devices.choose(device), notes)
    attentions.choose(attention, pipeline.device, pipeline.pool.options.dtype)
    return pipeline


def _listed(words: Sequence[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


class _NotEnoughMemory(GenerationError):
    """Memory ran out at work."""


def _out_of_memory(error: Exception) -> bool:
    """On the CPU torch raises a plain RuntimeError, told by its text."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(error)


def _repaired(request: GenerationRequest, plan: Plan, frames: Frames, run: Run) -> Frames:
    """The frames, their light repaired as asked for; as they are where a repair fails."""
    with run.sparing("The light could not be repaired"):
        first = None if plan.first is None else as_pixels(plan.first)
        return repaired(frames, request.repair, first, request.light)
    return frames


def _keep(
    request: GenerationRequest, latents: Tensor | None, sigmas: Tensor, frames: Frames, folder: Path, run: Run
) -> None:
    """What the model made, before anything is done to it, where it was asked for."""
    if request.latents is not None and latents is not None:
        with run.sparing("The latents could not be kept", "latents"):
            data = safetensors.torch.save({"latents": latents.cpu().contiguous(), "sigmas": sigmas})
            write_whole(folder / request.latents, lambda partial: partial.write_bytes(data))
    if request.frames_out is not None:
        with run.sparing("The model's own frames could not be kept", "frames_out"):
            write_clip(frames, 1, folder / request.frames_out, "png")
