# SPDX-License-Identifier: GPL-3.0-or-later
"""What a sampling is conditioned on: encoded prompts, pictures as latents, and pictures as CLIP features."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

import torch
from torch import Tensor

from ..checkpoint.model import INPUTS, MODULES
from ..checkpoint.sizes import Size
from ..networks.transformer import WanTransformer
from ..networks.transformer_blocks import Context, Control
from ..runtime.model_pool import ModelPool, non_finite
from ..runtime.run import Run
from ..windows import Window, frames_of
from .camera_rays import CameraPath
from .kept_latents import KeptLatents
from .motion import Motion
from .plan import Plan, beginning_noise, noise
from .prompt_cache import PromptCache, prompt_key
from .prompt_tokens import PromptTokenizer, fitted
from .vace import vace_context

_SHOWN = 120  # letters of what was cut off


@dataclass(frozen=True)
class Conditioning:
    """How what is given enters the denoise loop, which asks nothing else about it: as input channels, as context, as
    timesteps, or by putting it back after every step.

    `channels` [1, c, t, h, w] (what the model's row states) is stacked under the noisy latents. `held` [z, 1, h, w] is
    the first latent frame that is put back after every step while its tokens are told timestep 0. `clip` [1, n, c] are
    image features for the cross attention. `motion` is the animation that the clip follows, `kept` what stays of a clip
    to redo. `reference` [1, z, h, w]
    are latents whose tokens go before the clip's; `camera` is followed for `frames` of `size` (width, height). `vace`
    [1, 96, t, h, w] is what a VACE branch reads, counting `scale` times; the first `lead` latent frames are no part of
    the clip, but its references. Of the channels those `control_from` `control_to` are a control clip's, which counts
    in the first `control_share` of the steps: at noise levels above `control_above`. All None: text alone.
    """

    channels: Tensor | None = None
    held: Tensor | None = None
    clip: Tensor | None = None
    reference: Tensor | None = None
    camera: CameraPath | None = None
    frames: int = 1
    size: Size = (1, 1)
    motion: Motion | None = None
    kept: KeptLatents | None = None
    vace: Tensor | None = None
    scale: float = 1.0
    lead: int = 0
    control_from: int = 0
    control_to: int = 0
    control_share: float = 1.0
    control_above: float = 0.0

    def with_references(self, clean: Tensor) -> Tensor:
        """Clean latents [z, t, h, w] of the clip, with those of its references before them."""
        if self.vace is None or not self.lead:
            return clean
        return torch.cat([self.vace[0, : clean.shape[0], : self.lead], clean], 1)

    def scheduled(self, sigmas: Tensor) -> Conditioning:
        """The same for a sampling along `sigmas` [steps + 1]."""
        motion = None if self.motion is None else self.motion.scheduled(sigmas)
        return replace(self, motion=motion, control_above=_level_after(self.control_share, sigmas))

    @property
    def first_step(self) -> int:
        """The step to begin with."""
        return 0 if self.motion is None else self.motion.first_step

    def beginning(self, pure: Tensor, sigma: float) -> Tensor:
        """Latents [z, t, h, w] to begin with, at noise level `sigma`, for this `pure` noise."""
        return self.impose(pure if self.motion is None else self.motion.beginning(pure), sigma)

    def cut(self, window: Window) -> Conditioning:
        """What of it concerns one window of the clip, as if that were a clip of its own: the held frame is the first
        window's alone, the camera starts from where it stands in the window, references and features go with each.
        """
        start, stop = window.start, window.stop
        camera = None if self.camera is None else self.camera.cut(frames_of(start + 1) - 1, frames_of(stop))
        return replace(
            self,
            channels=None if self.channels is None else self.channels[:, :, start:stop],
            held=self.held if start == 0 else None,
            camera=camera,
            frames=frames_of(stop - start),
            vace=None if self.vace is None else self.of_window(self.vace[0], window)[None],
            motion=None,  # these are put back into the whole clip
            kept=None,
        )

    def of_window(self, x: Tensor, window: Window) -> Tensor:
        """[c, t, h, w] of the whole clip, its references included, to that of a window with all references."""
        return torch.cat([x[:, : self.lead], x[:, self.lead + window.start : self.lead + window.stop]], 1)

    def model_input(self, x: Tensor, t: Tensor) -> Tensor:
        """[z, t, h, w] at timestep `t` to the transformer's [1, in_dim, t, h, w]; control that no longer counts is
        zero, as for a clip without."""
        if self.channels is None:
            return x[None]
        channels = self.channels
        if float(t) / 1000 < self.control_above:
            channels = channels.clone()
            channels[:, self.control_from : self.control_to] = 0
        return torch.cat([x[None], channels], 1)

    def contexts(self, network: WanTransformer, texts: Sequence[Tensor]) -> list[Context]:
        """What `network` reads under each prompt's rows [L, text_dim], and of the pictures through CLIP; the same at
        every step and in every window, so it is made once per expert and prompt.
        """
        return [network.embed_text([rows], self.clip) for rows in texts]

    def control(self, network: WanTransformer, device: torch.device) -> Control:
        """What `network` reads beside that; the same at every step and under every prompt."""
        rays = None
        if self.camera is not None:
            rays = (frame[None].to(device) for frame in self.camera.packed(self.frames, self.size))
        return network.embed_control(self.reference, rays, self.vace, self.scale)

    def impose(self, x: Tensor, sigma: float) -> Tensor:
        """Latents [z, t, h, w] at noise level `sigma` with what is given put back into its place."""
        for given in (self.motion, self.kept):
            x = x if given is None else given.impose(x, sigma)
        return x if self.held is None else torch.cat([self.held, x[:, 1:]], 1)

    def corrected(self, velocity: Tensor) -> Tensor:
        """A prediction [z, t, h, w] with the true velocity where the clip is known."""
        return velocity if self.kept is None else self.kept.corrected(velocity)

    def timestep(self, t: Tensor, x: Tensor) -> Tensor:
        """[1], or [1, tokens] with 0 for the tokens of the held frame (patches of 2x2 in t, h, w order)."""
        t = t.float().to(x.device)
        if self.held is None:
            return t[None]
        frame = x.shape[2] // 2 * (x.shape[3] // 2)
        times = t.repeat(x.shape[1] * frame)
        times[:frame] = 0
        return times[None]


def _level_after(share: float, sigmas: Tensor) -> float:
    """A noise level between the steps of the first `share` of a schedule `sigmas` [steps + 1] and those behind them; 0
    where none is behind."""
    steps = len(sigmas) - 1
    seen = round(share * steps)
    if seen >= steps:
        return 0.0
    return 2.0 if seen == 0 else float(sigmas[seen - 1] + sigmas[seen]) / 2


def encode_texts(plan: Plan, pool: ModelPool, run: Run, cache: PromptCache | None = None) -> list[Tensor]:
    """[L, text_dim] rows of the prompt, and of the negative prompt when any step is guided.

    What the cache holds is not encoded again; the text encoder is opened only when something is missing.
    """
    needed = plan.guide if plan.boundary is not None else plan.guide[:1]
    tokenizer = PromptTokenizer(pool.checkpoint.open_tokenizer(), pool.checkpoint.config.text_len)
    prompts = [_readable(plan, tokenizer, run)]
    if any(g != 1 for g in needed):
        prompts.append(plan.negative)
        _tell_cut("negative prompt", plan.negative, tokenizer, run)
    if cache is None:
        return _encode_prompts(prompts, tokenizer, pool, run)
    keys = {prompt: prompt_key(pool.checkpoint, prompt, pool.options.dtype) for prompt in prompts}
    found = {prompt: cache.get(key) for prompt, key in keys.items()}
    missing = [prompt for prompt, rows in found.items() if rows is None]
    for prompt, rows in zip(missing, _encode_prompts(missing, tokenizer, pool, run) if missing else [], strict=True):
        found[prompt] = rows
        try:
            cache.put(keys[prompt], rows)
        except OSError as error:  # the clip does not depend on it
            run.note(f"The encoded prompt could not be kept ({error.strerror or error}).")
    run.facts["prompts_from_cache"] = len(prompts) - len(missing)
    return [rows.to(pool.device) for prompt in prompts if (rows := found[prompt]) is not None]


def _readable(plan: Plan, tokenizer: PromptTokenizer, run: Run) -> str:
    """The prompt without the sentences that keep the model from reading it whole, where these are known; what is left
    out is told."""
    prompt = plan.prompt
    if plan.prompt_parts:
        prompt, gone = fitted(plan.prompt_parts, lambda text: tokenizer.count(text) <= tokenizer.length)
        if gone:
            count = tokenizer.count(plan.prompt)
            run.note(
                f"The prompt has {count} tokens and the model reads {tokenizer.length}; left out: {' '.join(gone)}"
            )
        if prompt != plan.prompt:
            run.facts["prompt_read"] = prompt
    _tell_cut("prompt", prompt, tokenizer, run)
    return prompt


def _tell_cut(name: str, prompt: str, tokenizer: PromptTokenizer, run: Run) -> None:
    lost = tokenizer.beyond(prompt)
    if lost:
        count, length = tokenizer.count(prompt), tokenizer.length
        shown = textwrap.shorten(lost, _SHOWN, placeholder=" …") if " " in lost else lost[:_SHOWN]
        run.note(f'The {name} has {count} tokens and the model reads {length}; cut off from here on: "{shown}"')


def _encode_prompts(prompts: Sequence[str], tokenizer: PromptTokenizer, pool: ModelPool, run: Run) -> list[Tensor]:
    ids = [tokenizer(prompt) for prompt in prompts]
    if pool.options.offload != "none":
        rows = pool.stream_text(ids, run.check_cancel)
    else:
        encoder = pool.text_encoder()
        with run.watching(encoder):
            rows = [encoder(torch.tensor([tokens], device=pool.device))[0].float() for tokens in ids]
        pool.release()
    if not all(torch.isfinite(row).all() for row in rows):
        raise non_finite("The text encoder", pool.checkpoint.text_encoder, pool.options.dtype)
    return rows


def condition(plan: Plan, pool: ModelPool, run: Run) -> Conditioning:
    """The pictures in the form the transformer was trained to read them."""
    model = pool.checkpoint.model
    inputs = model.inputs[1:]  # behind the noise
    clip = _clip_features(plan, pool, run)
    channels = _channels(plan, inputs, pool, run) if inputs else None
    before = sum(INPUTS[name] or pool.checkpoint.config.out_dim for name in takewhile(lambda n: n != "control", inputs))
    held = _encode_frames([plan.first[:, None]], pool, run) if model.held and plan.first is not None else None
    reference = _reference(plan, pool, run) if "reference" in model.modules else None
    return Conditioning(
        channels=channels,
        control_from=before,
        control_to=before + (pool.checkpoint.config.out_dim if "control" in inputs else 0),
        control_share=plan.control_share,
        held=held,
        clip=clip,
        reference=reference,
        camera=plan.camera,
        frames=plan.frames,
        size=plan.size,
        motion=_motion(plan, pool, run),
        kept=_kept(plan, pool, run),
        vace=_vace(plan, pool, run),
        scale=plan.control_scale,
        lead=plan.lead,
    )


def _vace(plan: Plan, pool: ModelPool, run: Run) -> Tensor | None:
    """[1, 96, t, h, w]: what a VACE branch reads, the references in front."""
    if plan.vace is None:
        return None
    return vace_context(plan.vace, plan.references, lambda frames: _encode_frames(frames, pool, run))[None]


def _motion(plan: Plan, pool: ModelPool, run: Run) -> Motion | None:
    """The animation as latents under noise of its own: the second draw of the clip's seed."""
    if plan.motion is None:
        return None
    given = plan.motion
    latents = _encode_frames(given.pixels(plan.size, plan.frames), pool, run)
    mask = given.mask_of(plan.size, plan.latent_shape)
    fixed = noise(plan.seed, plan.latent_shape, 1)
    return Motion(latents, fixed.to(pool.device), mask.to(pool.device), start=given.start, end=given.end)


def _kept(plan: Plan, pool: ModelPool, run: Run) -> KeptLatents | None:
    """What stays of a clip to redo, as latents, under the noise that sampling begins with; None where nothing does."""
    if plan.redo is None or not (cells := plan.redo.kept_cells(*plan.latent_shape[2:])).any():
        return None
    known = _encode_frames(plan.redo.pixels(), pool, run)
    latents = torch.zeros(plan.latent_shape, device=pool.device)
    latents[:, plan.lead : plan.lead + known.shape[1]] = known
    mask = torch.zeros(1, *plan.latent_shape[1:])
    mask[0, plan.lead :] = _by_latents(cells).amin(0)
    return KeptLatents(latents, beginning_noise(plan).to(pool.device), mask.to(pool.device))


def _by_latents(frames: Tensor) -> Tensor:
    """[frames, h, w] to [4, t, h, w]: a latent frame stands for four frames, the first one for a single frame that is
    counted four times."""
    return torch.cat([frames[:1].expand(4, *frames.shape[1:]), frames[1:]]).unflatten(0, (-1, 4)).transpose(0, 1)


def _channels(plan: Plan, inputs: Sequence[str], pool: ModelPool, run: Run) -> Tensor:
    """[1, c, t, h, w]: what the transformer reads behind the noise, in the order of its model's `inputs`."""
    make = {"mask": _mask, "picture": _picture, "start": _start, "control": _control}
    return torch.cat([make[name](plan, pool, run) for name in inputs])[None]


def _mask(plan: Plan, pool: ModelPool, run: Run) -> Tensor:
    """[4, t, h, w]: 1 for the pixel frames that are given, and what stays of a clip to redo; 0 for what is made."""
    mask = torch.zeros(plan.frames, *plan.latent_shape[2:])
    if plan.redo is not None:
        mask = plan.redo.kept_cells(*plan.latent_shape[2:])
    if plan.first is not None:
        mask[0] = 1
    if plan.last is not None:
        mask[-1] = 1
    return _by_latents(mask).to(pool.device)


def _picture(plan: Plan, pool: ModelPool, run: Run) -> Tensor:
    """[z, t, h, w]: the pictures in their places, and what stays of a clip to redo, mid grey between them, as latents;
    zeros for text alone, as in training."""
    if plan.first is None and plan.redo is None:
        return torch.zeros(plan.latent_shape, device=pool.device)
    return _encode_frames(_between(plan), pool, run)


def _start(plan: Plan, pool: ModelPool, run: Run) -> Tensor:
    """[z, t, h, w]: the first picture as latents, zeros behind it and for text alone."""
    latents = torch.zeros(plan.latent_shape, device=pool.device)
    if plan.first is not None:
        latents[:, :1] = _encode_frames([plan.first[:, None]], pool, run)
    return latents


def _control(plan: Plan, pool: ModelPool, run: Run) -> Tensor:
    """[z, t, h, w]: the control clip as latents; zeros without one, as in training."""
    if plan.control is None:
        return torch.zeros(plan.latent_shape, device=pool.device)
    return _encode_frames(plan.control.pixels(plan.size), pool, run)


def _reference(plan: Plan, pool: ModelPool, run: Run) -> Tensor:
    """[1, z, h, w]: the reference picture as latents; zeros without one, for the model was trained to read its tokens
    always."""
    z, _, h, w = plan.latent_shape
    if not plan.references:
        return torch.zeros(1, z, h, w, device=pool.device)
    return _encode_frames([plan.references[0][:, None]], pool, run)[None, :, 0]


def _between(plan: Plan) -> Iterator[Tensor]:
    """The condition video frame by frame, [3, 1, H, W]: memory does not grow with the clip."""
    given = {plan.frames - 1: plan.last, 0: plan.first}
    grey = torch.zeros(3, plan.size[1], plan.size[0])
    for frame in range(plan.frames):
        picture = given.get(frame)
        picture = grey if picture is None else picture
        yield (picture if plan.redo is None else plan.redo.over(frame, picture))[:, None]


def _encode_frames(frames: Iterable[Tensor], pool: ModelPool, run: Run) -> Tensor:
    """Portions [3, n, H, W] of a video, in -1..1, 4k+1 frames in all, to normalised latents [z, t, h, w]."""
    vae = pool.vae()
    with run.watching(vae):
        portions = (portion[None].to(pool.device) for portion in frames)
        latents = torch.cat(list(vae.encode_stream(portions)), dim=2)[0]
    pool.release()
    if not torch.isfinite(latents).all():
        raise non_finite("Encoding the pictures", pool.checkpoint.vae)
    return latents


def _clip_features(plan: Plan, pool: ModelPool, run: Run) -> Tensor | None:
    """[1, n, c]: the features of the first picture, and those of the last one behind them where the model has both;
    zeros where the model looks at pictures and has none."""
    checkpoint = pool.checkpoint
    if not plan.clip_pictures and checkpoint.model.clip_pictures:
        return torch.zeros(1, MODULES["clip"].context, checkpoint.config.clip_dim or 0, device=pool.device)
    if not plan.clip_pictures:
        return None
    clip = pool.clip()
    pixels = torch.stack([clip.prepare(picture) for picture in plan.clip_pictures]).to(pool.device)
    with run.watching(clip):
        features = clip(pixels).flatten(0, 1)[None]
    if not torch.isfinite(features).all():
        assert pool.checkpoint.clip is not None
        raise non_finite("The image encoder", pool.checkpoint.clip)
    return features
