# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside a Blender window (-P drive.py -- CHECKOUT FOLDER): uses the extension as an artist would, and writes
FOLDER/result.json: {"passed": [what was seen], "failed": "" or the first thing that was not}."""

import json
import sys
import time
import traceback
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))
import blockout

CHECKOUT, FOLDER = map(Path, sys.argv[sys.argv.index("--") + 1 :])
MODULE = "bl_ext.user_default.wan_previs"
PATIENCE = 1200.0  # a loaded machine takes minutes to import torch
drawn: set[str] = set()
passed: list[str] = []
bpy.context.preferences.view.show_splash = False


def see(truth, what):
    if not truth:
        raise AssertionError(what)
    passed.append(what)


def until(condition, what):
    """Yields until `condition` holds; fails after PATIENCE seconds: what waits so long stands still."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"waited in vain: {what}")
        yield 0.1
    passed.append(what)


def window():
    return bpy.context.window_manager.windows[0]


def area(kind):
    return next(area for area in window().screen.areas if area.type == kind)


def session():
    return bpy.context.window_manager.wan_previs


def strips():
    editor = bpy.context.scene.sequence_editor
    return [strip.name for strip in editor.strips] if editor else []


def raw(take):
    """The frames of a take as the model made them."""
    strip = bpy.context.scene.sequence_editor.strips[take]
    return sorted((Path(bpy.path.abspath(strip.filepath)).parent / "raw").glob("frame_*.png"))


def override():
    return bpy.context.temp_override(window=window(), area=area("VIEW_3D"))


def picture(name):
    (FOLDER / f"{name}.want").touch()
    yield from until((FOLDER / f"{name}.png").exists, f"a picture of {name}")


def show_tab(kind):
    """Opens the sidebar of an editor at our tab; the tabs are there only once it has been drawn."""
    area(kind).spaces.active.show_region_ui = True
    yield 1.0
    region = next(region for region in area(kind).regions if region.type == "UI")
    region.active_panel_category = "Previs"
    area(kind).tag_redraw()
    yield 1.0


def record_draws():
    """Notes which panels have been drawn to their end."""
    for name in dir(bpy.types):
        if name.startswith("WANPREVIS_PT_"):
            cls = getattr(bpy.types, name)
            cls.draw = recorder(name, cls.draw)


def recorder(name, draw):
    def draw_and_note(self, context):
        draw(self, context)
        drawn.add(name)

    return draw_and_note


def install():
    archive = next((CHECKOUT / "dist").glob("wan_previs-*.zip"))
    bpy.ops.extensions.package_install_files(filepath=str(archive), repo="user_default", enable_on_install=True)
    bpy.context.preferences.addons[MODULE].preferences.engine_python = str(CHECKOUT / ".venv-engine")
    record_draws()


def open_scene():
    bpy.ops.wm.open_mainfile(filepath=str(FOLDER / "scene.blend"), load_ui=False)
    settings = bpy.context.scene.wan_previs
    settings.model, settings.checkpoint, settings.steps = "CUSTOM", str(FOLDER / "checkpoint"), 150
    settings.mode, settings.size, settings.width, settings.height = "first", "CUSTOM", 64, 48
    with override():
        bpy.ops.ed.undo_push(message="Settings")


def draw_panels():
    yield from show_tab("VIEW_3D")
    yield from picture("first")
    with override():
        see(bpy.ops.wan_previs.read_shots("EXEC_DEFAULT", True) == {"FINISHED"}, "the shots are read")
    area("VIEW_3D").spaces.active.region_3d.view_perspective = "CAMERA"
    wanted = {f"WANPREVIS_PT_{part}_view3d" for part in ("shots", "facts", "prompt")}
    yield from until(lambda: wanted <= drawn, "the panels of the 3D View are drawn")
    yield from picture("sidebar")


def draw_in_sequencer():
    area("DOPESHEET_EDITOR").type = "SEQUENCE_EDITOR"
    yield from show_tab("SEQUENCE_EDITOR")
    yield from until(lambda: "WANPREVIS_PT_shots_sequencer" in drawn, "the panels of the Sequencer are drawn")


def generate(expected):
    with override():
        see(bpy.ops.wan_previs.generate("INVOKE_DEFAULT") == {"RUNNING_MODAL"}, "generating does not block")
    see(session().running, "the session says that work is running")
    yield from until(lambda: session().status.startswith("Step"), "the progress of the steps is shown")
    yield from until(lambda: session().picture > 0, "the clip is shown as it looks by now")
    yield from picture("generating")
    yield from until(lambda: not session().running, "the work has an end")
    see([line.text for line in session().errors] == [], "no errors are shown")
    see(strips() == expected, f"the strips are {expected}")


def report():
    windows = bpy.context.window_manager.windows
    with override():
        see(bpy.ops.wan_previs.open_report(take="Wide take 1") == {"FINISHED"}, "the report opens")
    yield from until(lambda: len(windows) == 2, "in a window of its own")
    see(windows[1].screen.areas[0].spaces.active.image.size[0] > 1000, "with its picture")
    yield 1.0
    yield from picture("report")
    with bpy.context.temp_override(window=windows[1]):
        bpy.ops.wm.window_close()
    yield 1.0


def redo():
    """A part of the take made anew, from the middle of the shot on: another strip, the first one as it was."""
    scene, before = bpy.context.scene, strips()
    first = {path.name: path.read_bytes() for path in raw("Wide take 1")}
    scene.frame_set(scene.sequence_editor.strips["Wide take 1"].frame_final_start + 12)
    with override():
        pressed = bpy.ops.wan_previs.redo_take("INVOKE_DEFAULT", take="Wide take 1")
    see(pressed == {"RUNNING_MODAL"}, "making a part anew does not block")
    yield from until(lambda: session().status.startswith("Step") or not session().running, "and shows its steps")
    see([line.text for line in session().errors] == [], "while nothing is wrong")
    yield from picture("redoing")
    yield from until(lambda: not session().running, "and has an end")
    see([line.text for line in session().errors] == [], "without errors")
    see(strips() == [*before, "Wide take 3"], "the part made anew is a take of its own")
    anew = {path.name: path.read_bytes() for path in raw("Wide take 3")}
    kept = [name for name in sorted(first) if anew.get(name) == first[name]]
    see(
        0 < len(kept) < len(first) and kept == sorted(first)[: len(kept)], "the frames before the seam are the old ones"
    )
    see({path.name: path.read_bytes() for path in raw("Wide take 1")} == first, "the take itself stays as it is")
    yield 1.0
    yield from picture("redone")
    scene.frame_set(scene.frame_start)


def undo():
    """A user's own steps are undone one by one while clips are made, and no clip is lost."""
    with override():
        bpy.ops.wan_previs.generate_all("INVOKE_DEFAULT")
    yield from until(lambda: "Wide take 2" in strips(), "the first of two takes is there")
    bpy.context.scene.objects[0].location.x += 1.0
    with override():
        bpy.ops.ed.undo_push(message="Move")
        bpy.ops.ed.undo()
    see(strips() == ["Wide take 1", "Wide take 2"] and session().running, "undoing a move takes no strip away")
    with override():
        bpy.ops.ed.undo()
        bpy.ops.ed.undo()
    see(strips() == [] and session().running, "undoing both takes does")
    yield from until(lambda: not session().running, "the second clip is made all the same")
    see(strips() == ["Close take 1"], "and has its strip")
    bpy.context.scene.wan_previs.active_shot = 0
    yield 1.0
    yield from picture("undone")
    clips = [clip.job for clip in session().clips_of(bpy.context.scene, "Wide")]
    see(len(clips) == 2, "the two clips without a strip are listed")
    for job in clips:
        with override():
            see(bpy.ops.wan_previs.put_back("INVOKE_DEFAULT", job=job) == {"FINISHED"}, "one is put back")
    see(strips() == ["Close take 1", "Wide take 1", "Wide take 2"], "all takes are there again")
    yield 1.0
    yield from picture("put_back")


def delete():
    for name in strips():
        with override():
            bpy.ops.wan_previs.delete_take("EXEC_DEFAULT", take=name)
    see(strips() == [], "takes can be deleted")


def cancel():
    with override():
        bpy.ops.wan_previs.generate_all("INVOKE_DEFAULT")
    yield from until(lambda: session().status.startswith("Step"), "the engine works on the first shot")
    with override():
        bpy.ops.wan_previs.cancel()
    yield from until(lambda: not session().running, "cancelling ends the work")
    see(strips() == [], "a cancelled shot leaves no strip")


def load_meanwhile():
    with override():
        bpy.ops.wan_previs.generate("INVOKE_DEFAULT")
    yield from until(lambda: session().status.startswith("Step"), "a third generation is on its way")
    open_scene()
    yield 1.0
    see(not session().running and not session().errors, "loading a file ends the work")
    with override():
        see(bpy.ops.wan_previs.generate.poll(), "and the buttons are free again")


def story():
    install()
    open_scene()
    yield 1.0
    yield from draw_panels()
    yield from draw_in_sequencer()
    yield from generate(["Wide take 1"])
    yield 2.0
    yield from until(lambda: "WANPREVIS_PT_takes_view3d" in drawn, "the take is listed")
    yield from picture("strip")
    yield from report()
    yield from undo()
    yield from redo()
    delete()
    yield from cancel()
    yield from load_meanwhile()
    yield from blockout.in_window(CHECKOUT, FOLDER, area)


def tell(failed):
    (FOLDER / "result.json").write_text(json.dumps({"passed": passed, "failed": failed}, indent=1))
    with bpy.context.temp_override(window=window()):
        bpy.ops.wm.quit_blender()


steps = story()


def tick():
    try:
        return next(steps)
    except StopIteration:
        tell("")
    except AssertionError as error:
        tell(str(error))
    except Exception:
        tell(traceback.format_exc())
    return None


bpy.app.timers.register(tick, first_interval=2.0, persistent=True)
