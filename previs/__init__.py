# SPDX-License-Identifier: GPL-3.0-or-later
"""The one orchestration of a shot: brief -> prompt -> frames -> job -> strip. Every face of the product calls this.

Nothing here draws, asks or prints. Errors are `SceneError`, `WanError` or `JobError`/`SequencerError`, all with words
for the user and an `exit_status`.
"""

from ..bridge.state import JobError
from ..prompting import DEFAULT_TEMPLATE, prompt_json, prompt_text
from ..scene.brief import Brief, Reference, Shot
from ..scene.shots import scene_named, why_no_camera
from ..wan_engine.checkpoint.summary import outline
from ..wan_engine.errors import Cancelled, UsageError, WanError
from ..wan_engine.option_arguments import add_options, given_options
from ..wan_engine.option_kinds import File
from ..wan_engine.request_parts import Lora
from ..wan_engine.terminal import plain
from .clips import Clip, clips_of, discard_clip, put_back, shown_jobs
from .engine import check, close_engine, downloads_folder, engine_client
from .four_steps import FourStepsFetch, four_steps_of, samplings_of
from .generation import Generation
from .jobs import Resume, abilities_of, doubts_about, jobs_root, made_of, prepare, size_of, unfinished, wish_of
from .planning import plan_of
from .redo import Redo, redo_of, take_named, take_numbered
from .reference_lists import add_reference, check_own, still_of
from .references import check_references, without_references
from .repair import Repair
from .settings import ADDON_DIR, NANO, NANO_DTYPE, OPTIONS, RAW, Settings, ShotWords
from .shots import check_template, contradictions_of, left_out_of, lengths_of, prompt_of, read_shots, why_no_template
from .takes import (
    Take,
    after_saving,
    before_saving,
    delete_take,
    import_take,
    lost_takes,
    report_picture,
    saved_elsewhere,
    show_take,
    star_take,
    takes_of,
    why_files_stay,
)
from .work import OurError

__all__ = [
    "ADDON_DIR",
    "DEFAULT_TEMPLATE",
    "NANO",
    "NANO_DTYPE",
    "OPTIONS",
    "RAW",
    "Brief",
    "Cancelled",
    "Clip",
    "File",
    "FourStepsFetch",
    "Generation",
    "JobError",
    "Lora",
    "OurError",
    "Redo",
    "Reference",
    "Repair",
    "Resume",
    "Settings",
    "Shot",
    "ShotWords",
    "Take",
    "UsageError",
    "WanError",
    "abilities_of",
    "add_options",
    "add_reference",
    "after_saving",
    "before_saving",
    "check",
    "check_own",
    "check_references",
    "check_template",
    "clips_of",
    "close_engine",
    "contradictions_of",
    "delete_take",
    "discard_clip",
    "doubts_about",
    "downloads_folder",
    "engine_client",
    "four_steps_of",
    "given_options",
    "import_take",
    "jobs_root",
    "left_out_of",
    "lengths_of",
    "lost_takes",
    "made_of",
    "outline",
    "plain",
    "plan_of",
    "prepare",
    "prompt_json",
    "prompt_of",
    "prompt_text",
    "put_back",
    "read_shots",
    "redo_of",
    "report_picture",
    "samplings_of",
    "saved_elsewhere",
    "scene_named",
    "show_take",
    "shown_jobs",
    "size_of",
    "star_take",
    "still_of",
    "take_named",
    "take_numbered",
    "takes_of",
    "unfinished",
    "why_files_stay",
    "why_no_camera",
    "why_no_template",
    "wish_of",
    "without_references",
]
