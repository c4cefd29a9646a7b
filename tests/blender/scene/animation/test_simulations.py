# SPDX-License-Identifier: GPL-3.0-or-later
"""Simulations that are not baked: pictures and brief show them as playing the scene does, and nothing of it stays."""

import os

import bpy
import numpy as np
import pytest
from object_kinds import given, nodes_of
from scene_makers import add_box, add_camera, add_lamp, aim_sun, key
from wan_previs import compat
from wan_previs.conditioning import render_first_last, render_light, scene_light
from wan_previs.conditioning.tone import mean_rgb
from wan_previs.scene.animation import simulations
from wan_previs.scene.brief import SceneError
from wan_previs.scene.reader import read_brief

LAST = 20


@pytest.fixture
def scene(blank_scene):
    """A lit ground-less stage seen from the side, its picture dark where nothing stands."""
    blank_scene.frame_end = LAST
    add_camera(blank_scene, (0.0, -14.0, 2.0))
    aim_sun(add_lamp(blank_scene), 180.0, 30.0)
    blank_scene.render.engine = "CYCLES"
    return blank_scene


def rigid_body(scene, start=1):
    item = add_box(scene, "Stone", (0, 0, 5), (1, 1, 1))
    bpy.context.view_layer.objects.active = item
    bpy.ops.rigidbody.object_add()
    scene.rigidbody_world.point_cache.frame_start = start
    return item


def sheet(scene, modifier):
    bpy.ops.mesh.primitive_grid_add(x_subdivisions=6, y_subdivisions=6, size=3, location=(0, 0, 4))
    item = bpy.context.object
    item.name, item.rotation_euler.x = "Sheet", 1.2  # a slope that faces the camera
    item.modifiers.new("Physics", modifier)
    return item


def soft_body(scene):
    item = sheet(scene, "SOFT_BODY")
    item.soft_body.use_goal = False
    return item


def rising(tree):
    """A simulation zone that lifts a thing by 0.1 at every frame."""
    first, last = tree.nodes.new("GeometryNodeSimulationInput"), tree.nodes.new("GeometryNodeSimulationOutput")
    first.pair_with_output(last)
    lift = tree.nodes.new("GeometryNodeTransform")
    lift.inputs["Translation"].default_value = (0, 0, 0.1)
    tree.links.new(given(tree), first.inputs["Geometry"])
    tree.links.new(first.outputs["Geometry"], lift.inputs["Geometry"])
    tree.links.new(lift.outputs[0], last.inputs["Geometry"])
    return last.outputs["Geometry"]


def nested(tree):
    inner = tree.nodes.new("GeometryNodeGroup")
    inner.node_tree = nodes_of(rising)
    tree.links.new(given(tree), inner.inputs[0])
    return inner.outputs[0]


def zone(scene, build=rising):
    item = add_box(scene, "Rocket", (0, 0, 1), (1, 1, 1))
    item.modifiers.new("Nodes", "NODES").node_group = nodes_of(build)
    return item


def by_instance(scene):
    """A rocket in a collection that only an empty shows."""
    rocket = zone(scene)
    kept = bpy.data.collections.new("Kept")
    scene.collection.objects.unlink(rocket)
    kept.objects.link(rocket)
    empty = bpy.data.objects.new("Placed", None)
    empty.instance_type, empty.instance_collection = "COLLECTION", kept
    scene.collection.objects.link(empty)
    return rocket


KINDS = {
    "rigid bodies": rigid_body,
    "cloth of 'Sheet'": lambda scene: sheet(scene, "CLOTH"),
    "soft body of 'Sheet'": soft_body,
    "simulation nodes of 'Rocket'": zone,
}


def height(scene, item):
    """Mean height of a thing's points as evaluated now."""
    evaluated = item.evaluated_get(scene.view_layers[0].depsgraph)
    return float(np.mean([(evaluated.matrix_world @ vertex.co).z for vertex in evaluated.data.vertices]))


def play(scene, last=LAST, first=1):
    for frame in range(first, last + 1):
        scene.frame_set(frame)


def rows(path):
    """Mean brightness of a picture's rows, from the bottom up."""
    image = bpy.data.images.load(str(path))
    width, tall = image.size
    values = np.array(image.pixels[:]).reshape(tall, width, 4)[..., :3].mean(axis=(1, 2))
    bpy.data.images.remove(image)
    return values


def rendered(scene, folder, size=(32, 32)):
    (shot,) = read_brief(scene)[0].shots
    return render_first_last(scene, shot, size, folder)


def caches(scene):
    return [item.cache.info for item in simulations.unbaked(scene) if item.cache is not None]


@pytest.mark.parametrize("name", KINDS)
def test_the_last_frame_is_what_playing_shows(scene, name, tmp_path):
    item = KINDS[name](scene)
    scene.frame_set(1)
    assert [found.name for found in simulations.unbaked(scene)] == [name]
    pictures = rendered(scene, tmp_path / "jumped")
    play(scene)
    truth = height(scene, item)
    played = rendered(scene, tmp_path / "played")["last"]
    assert abs(truth - 4.0) > 0.5  # it did move
    assert rows(pictures["last"]) == pytest.approx(rows(played), abs=0.02)
    assert rows(pictures["first"]) != pytest.approx(rows(played), abs=0.02)


@pytest.mark.parametrize("name", KINDS)
def test_a_shot_that_begins_in_the_middle(scene, name, tmp_path):
    """Neither the jump back to its first frame nor the render of that drops what was computed for its last."""
    KINDS[name](scene)
    scene.frame_start = 9
    pictures = rendered(scene, tmp_path / "both")
    for frame, which in ((9, "first"), (LAST, "last")):
        scene.frame_start = scene.frame_end = frame
        truth = rendered(scene, tmp_path / which)["first"]
        assert rows(pictures[which]) == pytest.approx(rows(truth), abs=0.02)
    assert rows(pictures["first"]) != pytest.approx(rows(pictures["last"]), abs=0.02)


def test_several_kinds_in_one_scene(scene):
    """All right at every frame, in any order, also the second time."""
    items = [make(scene) for make in KINDS.values()]
    frames, found = (LAST, 12, 5, 12, LAST), []
    for _ in range(2):
        with simulations.played(scene, LAST):
            for frame in frames:
                scene.frame_set(frame)
                found.append([height(scene, item) for item in items])
    play(scene)
    for frame, heights in zip(frames * 2, found, strict=True):
        scene.frame_set(frame)
        assert [height(scene, item) for item in items] == pytest.approx(heights, abs=1e-3)


@pytest.mark.parametrize(("build", "name"), [(lambda s: zone(s, nested), "nested"), (by_instance, "instanced")])
def test_zones_in_groups_and_instances(scene, build, name, tmp_path):
    build(scene)
    pictures = rendered(scene, tmp_path)
    first, last = (np.average(np.arange(32), weights=rows(pictures[which])) for which in ("first", "last"))
    assert last - first > 4.0  # it rose by 2 of the picture's 10 metres


def test_a_scene_that_is_shown_behind(scene, tmp_path):
    """Its rigid bodies, of a world of its own, fall as well."""
    stage = bpy.data.scenes.new("Stage")
    with bpy.context.temp_override(scene=stage, view_layer=stage.view_layers[0]):
        stone = add_box(stage, "Stone", (0, 0, 5), (1, 1, 1))
        with bpy.context.temp_override(object=stone, active_object=stone):
            bpy.ops.rigidbody.world_add()
            bpy.ops.rigidbody.object_add()
    scene.background_set = stage
    pictures = rendered(scene, tmp_path / "jumped")
    play(scene)
    assert rows(pictures["last"]) == pytest.approx(rows(rendered(scene, tmp_path / "played")["last"]), abs=0.02)
    assert rows(pictures["first"]) != pytest.approx(rows(pictures["last"]), abs=0.02)


def test_particles_that_meet_a_floor(scene):
    """Without obstacles Blender knows where they are at any frame; what stops them must be met on the way."""
    bpy.ops.mesh.primitive_grid_add(x_subdivisions=8, y_subdivisions=8, size=3, location=(0, 0, 3))
    item = bpy.context.object
    settings = item.modifiers.new("Particles", "PARTICLE_SYSTEM").particle_system.settings
    settings.count, settings.frame_start, settings.frame_end, settings.lifetime = 200, 1, LAST, 60
    add_box(scene, "Floor", (0, 0, 2.5), (6, 6, 0.2)).modifiers.new("Collision", "COLLISION")

    def mean():
        particles = item.evaluated_get(scene.view_layers[0].depsgraph).particle_systems[0].particles
        return np.mean([particle.location.z for particle in particles if particle.alive_state == "ALIVE"])

    scene.frame_set(1)
    scene.frame_set(LAST)
    jumped = mean()
    scene.frame_set(1)
    with simulations.played(scene, LAST):
        scene.frame_set(LAST)
        found = mean()
    play(scene)
    assert found == pytest.approx(mean(), abs=1e-3) and abs(jumped - found) > 0.05


def start_at(scene, item, frame):
    """Lets what is simulated of a thing start at another frame than the scene does."""
    for found in simulations.unbaked(scene):
        if found.cache is not None:
            found.cache.frame_start, found.cache.frame_end = frame, 100
        else:
            bake = item.modifiers[0].bakes[0]
            bake.use_custom_simulation_frame_range, bake.frame_start, bake.frame_end = True, frame, 100


@pytest.mark.parametrize(
    ("name", "start"),
    [("rigid bodies", -10), ("rigid bodies", -1), ("soft body of 'Sheet'", -10), ("soft body of 'Sheet'", 0)]
    + [("simulation nodes of 'Rocket'", start) for start in (-10, 1, 8)],
)
def test_the_start_may_lie_before_the_shot_and_before_frame_1(scene, name, start):
    """Every frame is right in any order, the second time too, though Blender keeps no cache from before frame 1."""
    item = KINDS[name](scene)
    scene.frame_start = 5
    scene.frame_set(5)
    start_at(scene, item, start)
    truth = {}
    for frame in range(start, LAST + 1):
        scene.frame_set(frame)
        truth[frame] = height(scene, item)
    assert abs(truth[LAST] - truth[start]) > 0.5
    item.update_tag()
    for _ in range(2):
        with simulations.played(scene, LAST):
            for frame in (LAST, 9, LAST - 1, 15, LAST):
                scene.frame_set(frame)
                assert height(scene, item) == pytest.approx(truth[frame], abs=1e-3)
    assert [(found.start, found.cache and found.cache.is_baked) for found in simulations.unbaked(scene)] in (
        [(start, False)],
        [(start, None)],
    )
    (shot,) = read_brief(scene)[0].shots
    assert (shot.frame_start, shot.frame_end) == (5, LAST)


def test_simulation_nodes_start_with_the_scenes_own_range_for_them(scene):
    item = zone(scene)
    scene.frame_start = 15
    scene.use_custom_simulation_range, scene.simulation_frame_start, scene.simulation_frame_end = True, 1, 100
    with simulations.played(scene, LAST):
        scene.frame_set(LAST)
        assert height(scene, item) == pytest.approx(1.0 + 0.1 * (LAST - 1), abs=0.15)


def test_the_brief_tells_how_simulated_things_move(scene):
    rigid_body(scene)
    (shot,) = read_brief(scene)[0].shots
    (stone,) = shot.subjects
    assert (stone.motion.kind, stone.motion.screen_direction) == ("moving", "down")
    assert stone.motion.speed_m_s == pytest.approx((5.0 - 1.943) / (19 / 24), rel=0.05)


def test_small_renders_and_lamps_follow_too(scene, tmp_path):
    """A lamp on a falling stone: both curves see it go."""
    stone = rigid_body(scene)
    bpy.data.objects["Sun"].hide_render = True
    lamp = add_lamp(scene, "POINT", "Bulb", 3000.0)
    lamp.parent = stone
    key(lamp.data, "energy", {1: 3000.0, LAST: 2990.0})
    add_box(scene, "Wall", (0, 4, 5), (6, 0.1, 4))
    (shot,) = read_brief(scene)[0].shots
    (first, *_, last) = scene_light.glows(scene, shot, [1, 10, LAST])
    scene.frame_set(1)
    assert last.lamps[0].place != pytest.approx(first.lamps[0].place, abs=0.1)
    curve = render_light(scene, shot, count=2, width=24, samples=4)
    play(scene)
    paths = rendered(scene, tmp_path, (24, 14))
    assert curve.luminance[-1] == pytest.approx(mean_rgb(paths["last"])[1], abs=0.05)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("frame", [1, 9])
def test_nothing_stays_of_it(scene, name, frame, tmp_path):
    item = KINDS[name](scene)
    scene.frame_set(frame)
    places = [tuple(map(tuple, other.matrix_basis)) for other in scene.objects]
    rendered(scene, tmp_path)
    assert scene.frame_current == frame
    assert [tuple(map(tuple, other.matrix_basis)) for other in scene.objects] == places
    assert all(int(info.split()[0]) <= 3 for info in caches(scene)), caches(scene)
    assert item.name in scene.objects


@pytest.mark.parametrize("name", ["rigid bodies", "cloth of 'Sheet'", "soft body of 'Sheet'"])
@pytest.mark.parametrize("before", [(), (15,), (15, 3, 12), (9, 1, 20), (LAST + 5,), (LAST + 5, 4)])
def test_whatever_was_played_before(scene, name, before):
    """Caches that are begun, broken off or whole: every frame is right, in any order."""
    item = KINDS[name](scene)
    play(scene)
    truth = [(scene.frame_set(frame), height(scene, item))[1] for frame in range(1, LAST + 1)]
    item.update_tag()
    if scene.rigidbody_world:
        scene.rigidbody_world.time_scale = 1.0
    play(scene, before[0] if before else 1)
    for frame in before[1:]:
        scene.frame_set(frame)
    with simulations.played(scene, LAST):
        for frame in (1, 7, 20, 14, 3, 20, 2, 19):
            scene.frame_set(frame)
            assert height(scene, item) == pytest.approx(truth[frame - 1], abs=1e-3)


def test_a_whole_cache_is_kept(scene):
    sheet(scene, "CLOTH")
    play(scene, LAST + 3)
    read_brief(scene)
    assert int(caches(scene)[0].split()[0]) == LAST + 3


def test_a_zone_that_keeps_no_frames_is_played_too(scene, tmp_path):
    item = zone(scene)
    item.use_simulation_cache = False
    with simulations.played(scene, LAST):
        for frame, lift in ((LAST, 2.0), (3, 0.3), (10, 1.0)):
            scene.frame_set(frame)
            assert height(scene, item) == pytest.approx(1.0 + lift, abs=0.15)
    assert item.use_simulation_cache is False


def test_a_bake_is_used_and_nothing_is_played(scene, tmp_path):
    item = sheet(scene, "CLOTH")
    cache = item.modifiers[0].point_cache
    cache.frame_end = LAST
    with bpy.context.temp_override(scene=scene, object=item, active_object=item, point_cache=cache):
        bpy.ops.ptcache.bake(bake=True)
    assert cache.is_baked and simulations.unbaked(scene) == []
    assert read_brief(scene)[1] == []
    scene.frame_set(LAST)
    truth = height(scene, item)
    rendered(scene, tmp_path)
    scene.frame_set(LAST)
    assert cache.is_baked and height(scene, item) == pytest.approx(truth, abs=1e-5)


def test_a_bake_of_nodes_in_a_folder(scene, tmp_path):
    zone(scene)
    modifier = bpy.data.objects["Rocket"].modifiers[0]
    scene.frame_set(1)
    assert len(simulations.unbaked(scene)) == 1
    if hasattr(modifier, "bake_target"):
        modifier.bake_target = "DISK"
    modifier.bake_directory = str(tmp_path / "bake")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "nodes.blend"))  # 4.2 bakes in saved files only
    bpy.ops.object.select_all(action="DESELECT")
    bpy.data.objects["Rocket"].select_set(True)
    bpy.context.view_layer.objects.active = bpy.data.objects["Rocket"]
    bpy.ops.object.simulation_nodes_cache_bake(selected=True)
    assert os.listdir(tmp_path / "bake")
    assert simulations.unbaked(scene) == []


def test_the_user_is_told(scene):
    rigid_body(scene)
    sheet(scene, "CLOTH")
    (told,) = read_brief(scene)[1]
    assert "rigid bodies" in told and "'Sheet'" in told and "Bake" in told


@pytest.mark.parametrize(
    ("name", "start", "told"), [("cloth of 'Sheet'", -10, 1), ("soft body of 'Sheet'", -10, 0), ("rigid bodies", 0, 1)]
)
def test_a_cache_that_blender_cannot_play_from_so_early_is_told(scene, name, start, told):
    """It computes cloth and hair a first time only, and does not find their frames again, not those of a bake either;
    at frame 0 it builds rigid bodies of what is not there yet."""
    item = KINDS[name](scene)
    scene.frame_set(1)
    start_at(scene, item, start)
    words = [note for note in read_brief(scene)[1] if "before frame 1" in note]
    assert len(words) == told and all(name in note for note in words)


@pytest.mark.parametrize("off", ["modifier", "eye"])
def test_what_viewports_do_not_simulate_is_named(scene, off):
    add_box(scene)
    item = sheet(scene, "CLOTH")
    if off == "eye":
        item.hide_viewport = True
    else:
        item.modifiers[0].show_viewport = False
    (told,) = read_brief(scene)[1]
    assert "cannot be played" in told and "'Sheet'" in told


def test_a_fluid_without_data_is_named(scene):
    item = add_box(scene, "Tank")
    item.modifiers.new("Fluid", "FLUID").fluid_type = "DOMAIN"
    (told,) = read_brief(scene)[1]
    assert "fluid of 'Tank'" in told


@pytest.mark.skipif(not compat.is_module(), reason="Blender itself renders them")
def test_a_fluid_is_refused_where_it_would_end_the_process(scene, tmp_path):
    add_box(scene)
    tank = add_box(scene, "Tank")
    modifier = tank.modifiers.new("Fluid", "FLUID")
    modifier.fluid_type = "DOMAIN"
    with pytest.raises(SceneError, match=r"fluid \('Tank'\).*blender -b"):
        rendered(scene, tmp_path)
    modifier.show_render = False
    assert rendered(scene, tmp_path)["last"].exists()


def test_scenes_without_simulations_pay_nothing(scene, monkeypatch):
    add_box(scene)
    passive = add_box(scene, "Floor")
    bpy.context.view_layer.objects.active = passive
    bpy.ops.rigidbody.object_add(type="PASSIVE")
    grass = add_box(scene, "Grass")
    grass.modifiers.new("Hair", "PARTICLE_SYSTEM").particle_system.settings.type = "HAIR"
    hidden = sheet(scene, "CLOTH")
    hidden.modifiers[0].show_render = False
    assert simulations.unbaked(scene) == []
    scene.frame_set(7)
    with simulations.played(scene, LAST):
        assert scene.frame_current == 7
    assert read_brief(scene)[1] == []


def test_many_names_are_cut_short():
    assert simulations.few(["a", "b"]) == "a, b"
    assert simulations.few(list("abcdef")) == "a, b, c, d and 2 more"
