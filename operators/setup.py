# SPDX-License-Identifier: GPL-3.0-or-later
"""Setting up the engine, and saying what is missing."""

from __future__ import annotations

from typing import ClassVar

import bpy

from .. import previs
from ..previs.engine import EngineSetup, EnvironmentMissing, engine_places, set_up
from ..previs.log import log
from .common import Work, look_at_disk, redraw, session_of, settings_of

# Of pip's work nothing tells how much is left: the bar nears its end with every line.
_LEFT_PER_LINE = 0.97


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


class WANPREVIS_OT_setup_engine(Work, bpy.types.Operator):
    """Download what the video engine needs, some 2 GB, and install it in a place of its own"""

    bl_idname = "wan_previs.setup_engine"
    bl_label = "Set Up Engine"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}
    _setup: EngineSetup
    _error: EnvironmentMissing | None = None
    _left: float = 1.0
    _last_words: str = ""
    _stopped: bool = False

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str | None:
        if not bpy.app.online_access:
            reason = 'Switch on "Allow Online Access" in the preferences under System: the engine is downloaded'
        elif engine_places(context)[1] is None:
            reason = "Choose an engine folder in the preferences"
        else:
            return None
        cls.poll_message_set(reason)
        return reason

    def start(self, context: bpy.types.Context) -> bool:
        folder = engine_places(context)[1]
        session = session_of(context)
        if folder is None:
            return False
        try:
            self._setup = set_up(folder)
        except EnvironmentMissing as error:
            log(f"engine set-up cannot begin: {error}")
            session.end([str(error)])
            self.report({"ERROR"}, str(error))
            return False
        previs.close_engine()
        log(f"engine set-up began: {folder}")
        session.begin("Setting up the engine")
        return True

    def step(self, context: bpy.types.Context) -> bool:
        try:
            lines = self._setup.poll()
        except EnvironmentMissing as error:
            self._error = error
            return True
        session = session_of(context)
        for line in lines:
            self._hear(line)
            session.status, session.fraction = line, 1.0 - self._left
        return self._setup.finished

    def run(self, context: bpy.types.Context) -> None:
        try:
            self._setup.run(self._hear)
        except EnvironmentMissing as error:
            self._error = error

    def _hear(self, line: str) -> None:
        print(f"Wan Previs: {line}")
        self._left *= _LEFT_PER_LINE
        self._last_words = line

    def stop(self) -> None:
        self._setup.cancel()
        self._stopped = True

    def finish(self, context: bpy.types.Context) -> set[str]:
        session = session_of(context)
        if self._stopped or self._error is not None:
            words = str(self._error) if self._error is not None else "Setting up the engine was cancelled."
            log(f"engine set-up ended: {words} {self._last_words}")
            session.end([words, self._last_words] if self._error is not None and self._last_words else [words])
            self.report({"ERROR"} if self._error is not None else {"WARNING"}, words)
            return {"CANCELLED"}
        log("engine set-up ended: it is set up")
        session.end([], "The engine is set up")
        tell_findings(context)
        redraw(context)
        return {"FINISHED"}


CLASSES = (WANPREVIS_OT_check, WANPREVIS_OT_setup_engine)
