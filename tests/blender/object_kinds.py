# SPDX-License-Identifier: GPL-3.0-or-later
"""One thing of every kind, with and without modifiers, between a camera and a crate.

Run as a program it reads a scene for each and prints `begin NAME` and `read NAME SUBJECTS`: what crashes Blender takes
this process along, not the tests.
"""

import json
import os
import sys

import bpy
from scene_makers import add_box, add_camera, add_lamp, key, link
from wan_previs.scene.reader import read_brief

BEFORE = (0.0, -5.0, 1.0)  # between the camera and the crate
ACROSS = ((-4.0, -1.0, -1.5), (0.0, 0.0, 0.5), (4.0, -1.0, 2.0))
NEW = bpy.app.version


def new_scene():
    """A camera that looks north at a crate which shines a little, and nothing else."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.frame_end = 3
    add_camera(scene, (0.0, -12.0, 1.0))
    crate = add_box(scene, "Crate")
    glow = bpy.data.materials.new("Glow")
    if NEW < (5, 0, 0):
        glow.use_nodes = True
    glow.node_tree.nodes["Principled BSDF"].inputs["Emission Strength"].default_value = 2.0
    glow.node_tree.nodes["Principled BSDF"].inputs["Emission Color"].default_value = (1.0, 1.0, 1.0, 1.0)
    crate.data.materials.append(glow)
    return scene


def curve(scene, kind="POLY", points=ACROSS, name="Path", data="CURVE", **settings):
    """A curve through points across the view."""
    made = bpy.data.curves.new(name, data)
    made.dimensions = "3D"
    for setting, value in settings.items():
        setattr(made, setting, value)
    if points:
        spline = made.splines.new(kind)
        spline_points = spline.bezier_points if kind == "BEZIER" else spline.points
        spline_points.add(len(points) - 1)
        for point, place in zip(spline_points, points, strict=True):
            point.co = place if kind == "BEZIER" else (*place, 1.0)
    return link(scene, name, made, BEFORE)


def mesh(scene, points=(), edges=(), faces=(), name="Thing"):
    made = bpy.data.meshes.new(name)
    made.from_pydata(points, edges, faces)
    return link(scene, name, made, BEFORE)


def wires(scene):
    return mesh(scene, ACROSS, [(0, 1), (1, 2)])


def wall(scene):
    corners = [(-3, 0, -3), (3, 0, -3), (3, 0, 3), (-3, 0, 3)]
    return mesh(scene, corners, [], [(0, 1, 2, 3)], "Wall")


def text(scene, body="WALL"):
    item = link(scene, "Text", bpy.data.curves.new("Text", "FONT"), BEFORE)
    item.data.body, item.data.size, item.data.align_x = body, 4.0, "CENTER"
    item.rotation_euler.x = 1.5708
    return item


def by_operator(name, **settings):
    """A maker of what an operator adds, put between camera and crate."""

    def make(scene):
        group, operator = name.split(".")
        getattr(getattr(bpy.ops, group), operator)(location=BEFORE, **settings)
        return bpy.context.object

    return make


def ball(scene, elements=1):
    made = bpy.data.metaballs.new("Ball")
    for _ in range(elements):
        made.elements.new().radius = 2.0
    return link(scene, "Ball", made, BEFORE)


def hair(scene, count=3):
    made = bpy.data.hair_curves.new("Hair")
    if count:
        made.add_curves([len(ACROSS)] * count)
        for index, point in enumerate(made.points):
            point.position = ACROSS[index % len(ACROSS)]
    return link(scene, "Hair", made, BEFORE)


def volume(scene):
    return link(scene, "Cloud", bpy.data.volumes.new("Cloud"), BEFORE)


def points(scene):
    made = bpy.data.pointclouds.new("Points")
    if hasattr(made, "resize"):
        made.resize(4)
    return link(scene, "Points", made, BEFORE)


def ink(scene):
    new = NEW >= (4, 3, 0)
    operator = bpy.ops.object.grease_pencil_add if new else bpy.ops.object.gpencil_add
    operator(location=BEFORE, type="STROKE")
    return bpy.context.object


PLAIN = {
    "mesh": wall,
    "mesh without vertices": mesh,
    "mesh of points": lambda scene: mesh(scene, ACROSS),
    "mesh of edges": wires,
    "curve": curve,
    "bezier curve": lambda scene: curve(scene, "BEZIER"),
    "nurbs curve": lambda scene: curve(scene, "NURBS"),
    "curve without points": lambda scene: curve(scene, points=()),
    "curve of one point": lambda scene: curve(scene, points=ACROSS[1:2]),
    "curve with a bevel": lambda scene: curve(scene, bevel_depth=0.2),
    "curve with an extrusion": lambda scene: curve(scene, extrude=0.2),
    "animation path": lambda scene: curve(scene, "BEZIER", use_path=True),
    "surface": by_operator("surface.primitive_nurbs_surface_surface_add", radius=3.0),
    "surface curve": by_operator("surface.primitive_nurbs_surface_curve_add", radius=3.0),
    "surface sphere": by_operator("surface.primitive_nurbs_surface_sphere_add", radius=2.0),
    "surface without points": lambda scene: curve(scene, points=(), data="SURFACE"),
    "text": text,
    "empty text": lambda scene: text(scene, ""),
    "text of spaces": lambda scene: text(scene, "   "),
    "ball": ball,
    "ball without elements": lambda scene: ball(scene, 0),
    "hair": hair,
    "hair without strands": lambda scene: hair(scene, 0),
    "points": points,
    "volume": volume,
    "ink": ink,
    "lattice": lambda scene: link(scene, "Lattice", bpy.data.lattices.new("Lattice"), BEFORE),
    "armature": by_operator("object.armature_add", radius=3.0),
    "empty": lambda scene: link(scene, "Empty", None, BEFORE),
    "picture": by_operator("object.empty_add", type="IMAGE"),
    "force field": by_operator("object.effector_add", type="WIND"),
    "curve guide": by_operator("object.effector_add", type="GUIDE"),
    "light": lambda scene: add_lamp(scene, "AREA", location=BEFORE),
    "camera": lambda scene: add_camera(scene, BEFORE, "Other", active=False),
    "speaker": by_operator("object.speaker_add"),
    "light probe": by_operator("object.lightprobe_add", type="VOLUME"),
}


def nodes_of(build):
    """A geometry node group; `build(tree)` gives the socket that it puts out, or None."""
    tree = bpy.data.node_groups.new("Shape", "GeometryNodeTree")
    tree.interface.new_socket("Geometry", in_out="INPUT", socket_type="NodeSocketGeometry")
    tree.interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    tree.nodes.new("NodeGroupInput")
    output = tree.nodes.new("NodeGroupOutput")
    made = build(tree)
    if made is not None:
        tree.links.new(made, output.inputs[0])
    return tree


def node(tree, kind, *given):
    """A node whose first inputs are given, and its first output."""
    made = tree.nodes.new(kind)
    for socket, source in zip(made.inputs, given, strict=False):
        if source is not None:
            tree.links.new(source, socket)
    return made.outputs[0]


def given(tree):
    return next(found for found in tree.nodes if found.bl_idname == "NodeGroupInput").outputs[0]


def line(tree):
    made = node(tree, "GeometryNodeCurvePrimitiveLine")
    made.node.inputs["Start"].default_value, made.node.inputs["End"].default_value = ACROSS[0], ACROSS[2]
    return made


def circle(tree):
    return node(tree, "GeometryNodeCurvePrimitiveCircle")


def cube(tree):
    made = node(tree, "GeometryNodeMeshCube")
    made.node.inputs["Size"].default_value = (4.0, 1.0, 4.0)
    return made


def joined(tree, *parts):
    made = tree.nodes.new("GeometryNodeJoinGeometry")
    for part in parts:
        tree.links.new(part, made.inputs[0])
    return made.outputs[0]


def placed(tree, what):
    """Instances of `what` on a mesh's corners."""
    made = tree.nodes.new("GeometryNodeInstanceOnPoints")
    tree.links.new(cube(tree), made.inputs["Points"])
    tree.links.new(what, made.inputs["Instance"])
    return made.outputs[0]


def of_object(tree, item, as_instance=True):
    made = tree.nodes.new("GeometryNodeObjectInfo")
    made.inputs["Object"].default_value = item
    made.inputs["As Instance"].default_value = as_instance
    return made.outputs["Geometry"]


NODES = {
    "nothing": lambda tree: None,
    "as it is": given,
    "curves only": line,
    "points only": lambda tree: node(tree, "GeometryNodePoints"),
    "mesh without faces": lambda tree: node(tree, "GeometryNodeMeshLine"),
    "mesh": cube,
    "mesh from curve": lambda tree: node(tree, "GeometryNodeCurveToMesh", line(tree), circle(tree)),
    "wire from curve": lambda tree: node(tree, "GeometryNodeCurveToMesh", line(tree)),
    "curve from mesh": lambda tree: node(tree, "GeometryNodeMeshToCurve", cube(tree)),
    "volume": lambda tree: node(tree, "GeometryNodeVolumeCube"),
    "mesh and curve": lambda tree: joined(tree, cube(tree), line(tree)),
    "given and curve": lambda tree: joined(tree, given(tree), line(tree)),
    "instances of curves": lambda tree: placed(tree, line(tree)),
    "instances of meshes": lambda tree: placed(tree, cube(tree)),
    "instances of given": lambda tree: placed(tree, given(tree)),
    "real curves": lambda tree: node(tree, "GeometryNodeRealizeInstances", placed(tree, line(tree))),
}
if NEW >= (4, 3, 0):
    NODES["ink from curve"] = lambda tree: node(tree, "GeometryNodeCurvesToGreasePencil", line(tree))

MODIFIABLE = {
    "mesh": wall, "mesh without vertices": mesh, "curve": curve, "curve with a bevel": PLAIN["curve with a bevel"],
    "curve without points": PLAIN["curve without points"], "surface": PLAIN["surface"],
    "surface curve": PLAIN["surface curve"], "text": text, "empty text": PLAIN["empty text"], "hair": hair,
    "points": points, "volume": volume,
}  # fmt: skip
if NEW >= (4, 3, 0):
    MODIFIABLE["ink"] = ink

# Modifier types with their settings, on a mesh with faces, one with edges only, a curve and a text.
MODIFIERS = {
    "BUILD": {"frame_start": 2.0, "frame_duration": 10.0},
    "SKIN": {},
    "MASK": {"vertex_group": "None"},
    "SCREW": {},
    "WIREFRAME": {},
    "SUBSURF": {},
    "SOLIDIFY": {},
    "ARRAY": {},
    "DECIMATE": {"decimate_type": "DISSOLVE"},
    "REMESH": {},
    "EXPLODE": {},
    "MESH_TO_VOLUME": {},
    "VOLUME_TO_MESH": {},
    "PARTICLE_INSTANCE": {},
    "OCEAN": {},
    "NODES": {},
}  # fmt: skip


def _with_nodes(make, build):
    def made(scene):
        modifier = make(scene).modifiers.new("Nodes", "NODES")
        if modifier is not None:  # surfaces take none in some versions
            modifier.node_group = nodes_of(build)

    return made


def _with_modifier(make, kind, settings):
    def made(scene):
        item = make(scene)
        modifier = item.modifiers.new("Modifier", kind)
        for setting, value in settings.items() if modifier is not None else ():
            setattr(modifier, setting, value)

    return made


def _as_collection(make):
    """The thing in a collection of its own that an empty places."""

    def made(scene):
        item = make(scene)
        hidden = bpy.data.collections.new("Kept")
        for collection in item.users_collection:
            collection.objects.unlink(item)
        hidden.objects.link(item)
        item.location = (0.0, 0.0, 0.0)
        empty = link(scene, "Placed", None, BEFORE)
        empty.instance_type, empty.instance_collection = "COLLECTION", hidden

    return made


def _on_faces(make, kind):
    """The thing as a child that its parent's faces or corners place."""

    def made(scene):
        parent = wall(scene)
        parent.instance_type = kind
        item = make(scene)
        item.parent, item.location = parent, (0.0, 0.0, 0.0)

    return made


def _by_nodes(make, as_instance):
    def made(scene):
        item = make(scene)
        place = mesh(scene, ACROSS)
        shape = nodes_of(lambda tree: of_object(tree, item, as_instance))
        place.modifiers.new("Nodes", "NODES").node_group = shape

    return made


def _unseen(make):
    """The thing hidden from viewports by its eye; it renders."""

    def made(scene):
        make(scene).hide_set(True)

    return made


def _keyed_away(make, path):
    """The thing switched off from the second frame on."""

    def made(scene):
        key(make(scene), path, {1: False, 2: True})
        scene.frame_set(1)

    return made


def _particles(kind, make):
    """What particles of an emitter show: strands, or another object."""

    def made(scene):
        emitter = wall(scene)
        emitter.modifiers.new("Particles", "PARTICLE_SYSTEM")
        settings = emitter.particle_systems[0].settings
        settings.type, settings.count = kind, 20
        if make is not None:
            settings.render_type, settings.instance_object = "OBJECT", make(scene)

    return made


def _in_mode(make, mode):
    def made(scene):
        bpy.context.view_layer.objects.active = make(scene)
        bpy.ops.object.mode_set(mode=mode)

    return made


def cases():
    """Name -> what puts it into a scene."""
    found = dict(PLAIN)
    for name, make in MODIFIABLE.items():
        found.update({f"{name}, nodes: {shape}": _with_nodes(make, build) for shape, build in NODES.items()})
        found[f"{name}, placed by an empty"] = _as_collection(make)
        found[f"{name}, placed by faces"] = _on_faces(make, "FACES")
        found[f"{name}, placed by corners"] = _on_faces(make, "VERTS")
        found[f"{name}, placed by nodes"] = _by_nodes(make, True)
        found[f"{name}, taken over by nodes"] = _by_nodes(make, False)
    for name, make in (("ball", ball), ("lattice", PLAIN["lattice"]), ("light", PLAIN["light"]), ("ink", ink)):
        found[f"{name}, placed by an empty"] = _as_collection(make)
    for name, make in (("mesh", wall), ("mesh of edges", wires), ("curve", curve), ("text", text)):
        found.update({f"{name}, {kind}": _with_modifier(make, kind, how) for kind, how in MODIFIERS.items()})
    for name in ("mesh", "curve", "curve with a bevel", "surface", "surface curve", "text", "ball"):
        make = PLAIN[name]
        found[f"{name}, edited"] = _in_mode(make, "EDIT")
        found[f"{name}, its eye closed"] = _unseen(make)
        found.update({f"{name}, {path} keyed": _keyed_away(make, path) for path in ("hide_viewport", "hide_render")})
    found["mesh, sculpted"] = _in_mode(wall, "SCULPT")
    found["strands"] = _particles("HAIR", None)
    for name, make in (("mesh", wall), ("curve", curve), ("ball", ball)):
        found[f"particles of {name}"] = _particles("EMITTER", make)
    return found


def main(wanted):
    for name, put in cases().items():
        if wanted and name not in wanted:
            continue
        scene = new_scene()
        print("begin", name, flush=True)
        put(scene)
        brief, _ = read_brief(scene)
        print("read", json.dumps([name, [subject.noun for subject in brief.shots[0].subjects]]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
    os._exit(0)  # bpy 4.5 may hang at a plain exit
