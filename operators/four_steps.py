# SPDX-License-Identifier: GPL-3.0-or-later
"""Four steps in place of many: one click downloads what the model needs for it and sets the sampling."""

from __future__ import annotations

from typing import ClassVar

import bpy

from .. import previs
from .common import Work, redraw, session_of, settings_of


class WANPREVIS_OT_four_steps(Work, bpy.types.Operator):
    """Make clips in four steps. What the model needs for it is downloaded once; steps, guidance, shift and solver are
    then those that it was made for"""

    bl_idname = "wan_previs.four_steps"
    bl_label = "Four Steps"
    bl_options: ClassVar[set[str]] = {"UNDO"}
    _fetch: previs.FourStepsFetch

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str | None:
        state = context.scene.wan_previs
        if state.four_steps_here or bpy.app.online_access:
            return None
        reason = 'Switch on "Allow Online Access" in the preferences under System: its files are downloaded'
        cls.poll_message_set(reason)
        return reason

    def start(self, context: bpy.types.Context) -> bool:
        session = session_of(context)
        try:
            self._fetch = previs.FourStepsFetch(context.scene, settings_of(context))
        except previs.OurError as error:
            session.end([str(error)])
            self.report({"ERROR"}, str(error))
            return False
        session.begin("Four Steps")
        return True

    def step(self, context: bpy.types.Context) -> bool:
        over, session = self._fetch.step(), session_of(context)
        session.status = "Cancelling" if session.cancelling else self._fetch.status
        session.fraction = self._fetch.progress.share
        return over

    def run(self, context: bpy.types.Context) -> None:
        self._fetch.run()

    def stop(self) -> None:
        self._fetch.cancel()

    def finish(self, context: bpy.types.Context) -> set[str]:
        errors, session = list(self._fetch.errors), session_of(context)
        try:
            state = self._fetch.scene.wan_previs
        except previs.OurError as error:
            errors.append(str(error))
        else:
            if not errors:
                state.preset, state.steps = "lightning", 0
            state.look_at_model()
        session.end(errors, "" if errors else "Clips are made in four steps now")
        redraw(context)
        if errors:
            self.report({"ERROR"}, "\n".join(errors))
            return {"CANCELLED"}
        return {"FINISHED"}


class WANPREVIS_OT_all_steps(bpy.types.Operator):
    """Make clips in as many steps as the model was published with. What was downloaded stays"""

    bl_idname = "wan_previs.all_steps"
    bl_label = "Four Steps"
    bl_options: ClassVar[set[str]] = {"UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        context.scene.wan_previs.preset = "NONE"
        return {"FINISHED"}


CLASSES = (WANPREVIS_OT_four_steps, WANPREVIS_OT_all_steps)
