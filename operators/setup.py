# SPDX-License-Identifier: GPL-3.0-or-later
"""Setting up the engine, and saying what is missing."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import bpy

from .. import previs
from ..previs.engine import EngineWork, EnvironmentMissing, engine_places, remove, set_up, wheels_folder
from ..previs.log import log
from ..previs.support import support_report
from .common import Work, look_at_disk, redraw, session_of, settings_of


def tell_findings(context: bpy.types.Context) -> bool:
    """Look what is set up, and put it where the preferences show it; True when nothing is missing."""
    session = session_of(context)
    session.findings.clear()
    look_at_disk(context)
    findings = previs.check(settings_of(context))
    for finding in findings:
        line = session.findings.add()
        line.ok = finding.ok
        line.text = f"{finding.what}: {finding.advice}" if finding.advice else finding.what
    return all(finding.ok for finding in findings)


class WANPREVIS_OT_check(bpy.types.Operator):
    """Look whether the model and the engine are ready, and say what is missing"""

    bl_idname = "wan_previs.check"
    bl_label = "Check Set-Up"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        well = tell_findings(context)
        for line in session_of(context).findings:
            self.report({"INFO"} if line.ok else {"WARNING"}, line.text)
        redraw(context)
        return {"FINISHED"} if well else {"CANCELLED"}


class WANPREVIS_OT_copy_report(bpy.types.Operator):
    """Copy what a bug report needs to say of this computer: versions, cards, what is set up; without names and paths"""

    bl_idname = "wan_previs.copy_report"
    bl_label = "Copy Report"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        context.window_manager.clipboard = support_report(settings_of(context))
        self.report({"INFO"}, "Copied; paste it into the report")
        return {"FINISHED"}


class _EngineWork(Work):
    """Mixed into an operator that makes or removes the engine."""

    _work: EngineWork
    _error: EnvironmentMissing | None = None
    _last_words: str = ""
    _stopped: bool = False
    title: ClassVar[str]  # what the work is, in the words of the panel and of the log

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str | None:
        if engine_places(context)[1] is not None:
            return None
        reason = "Choose an engine folder in the preferences"
        cls.poll_message_set(reason)
        return reason

    def begin_work(self, context: bpy.types.Context, folder: Path) -> EngineWork:
        """Begin. Raises EnvironmentMissing."""
        raise NotImplementedError

    def start(self, context: bpy.types.Context) -> bool:
        folder = engine_places(context)[1]
        session = session_of(context)
        if folder is None:
            return False
        previs.close_engine()
        try:
            self._work = self.begin_work(context, folder)
        except EnvironmentMissing as error:
            log(f"{self.title} cannot begin: {error}")
            session.end([str(error)])
            look_at_disk(context)  # another Blender may have set it up meanwhile
            self.report({"ERROR"}, str(error))
            return False
        log(f"{self.title} began: {folder}")
        session.begin(self.title)
        return True

    def step(self, context: bpy.types.Context) -> bool:
        try:
            lines = self._work.poll()
        except EnvironmentMissing as error:
            self._error = error
            return True
        session = session_of(context)
        session.fraction, session.left = self._work.fraction, self._work.size
        for line in lines:
            self._hear(line)
            session.status = line
        return self._work.finished

    def run(self, context: bpy.types.Context) -> None:
        try:
            self._work.run(self._hear)
        except EnvironmentMissing as error:
            self._error = error

    def _hear(self, line: str) -> None:
        print(f"Wan Previs: {line}")
        self._last_words = line

    def stop(self) -> None:
        self._work.cancel()
        self._stopped = True

    def done(self, context: bpy.types.Context) -> str:
        """The work has ended well: what the panel says."""
        raise NotImplementedError

    def finish(self, context: bpy.types.Context) -> set[str]:
        session = session_of(context)
        if self._stopped or self._error is not None:
            words = str(self._error) if self._error is not None else f"{self.title} was cancelled."
            log(f"{self.title} ended: {words} {self._last_words}")
            session.end([words])
            self.report({"ERROR"} if self._error is not None else {"WARNING"}, words)
            result = {"CANCELLED"}
        else:
            log(f"{self.title} ended well")
            session.end([], self.done(context))
            result = {"FINISHED"}
        tell_findings(context)  # whether there is an engine now
        redraw(context)
        return result


class WANPREVIS_OT_setup_engine(_EngineWork, bpy.types.Operator):
    """Install what the video engine needs in a place of its own. The first press tells what fits this computer, how
    much is downloaded and how much disk it takes; the second installs it"""

    bl_idname = "wan_previs.setup_engine"
    bl_label = "Set Up Engine"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}
    title = "Setting up the engine"
    _plan_only: bool = False

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str | None:
        if bpy.app.online_access or wheels_folder(context) is not None:
            return super().why_not(context)
        reason = 'Switch on "Allow Online Access" in the preferences under System: the engine is downloaded'
        cls.poll_message_set(reason)
        return reason

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self._plan_only = not session_of(context).setup_plan
        return super().invoke(context, event)

    def begin_work(self, context: bpy.types.Context, folder: Path) -> EngineWork:
        return set_up(folder, wheels_folder(context), self._plan_only)

    def finish(self, context: bpy.types.Context) -> set[str]:
        well = self._error is None and not self._stopped
        words = " ".join(part for part in (self._work.plan, self._work.advice) if part)
        session_of(context).setup_plan = words if self._plan_only and well else ""
        return super().finish(context)

    def done(self, context: bpy.types.Context) -> str:
        return "" if self._plan_only else "The engine is set up"


class WANPREVIS_OT_remove_engine(_EngineWork, bpy.types.Operator):
    """Remove the engine that Set Up Engine has made, which frees its disk. Clips and checkpoints stay"""

    bl_idname = "wan_previs.remove_engine"
    bl_label = "Remove Engine"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}
    title = "Removing the engine"

    def begin_work(self, context: bpy.types.Context, folder: Path) -> EngineWork:
        return remove(folder)

    def done(self, context: bpy.types.Context) -> str:
        return "The engine is removed"


CLASSES = (WANPREVIS_OT_check, WANPREVIS_OT_copy_report, WANPREVIS_OT_setup_engine, WANPREVIS_OT_remove_engine)
