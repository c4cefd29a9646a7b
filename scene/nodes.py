# SPDX-License-Identifier: GPL-3.0-or-later
"""What a shader node tree says, read off its links: which textures light it and how strongly, plain values, and how a
chain of vector nodes turns a texture.

Links are followed as a renderer does: through reroutes, node groups and the shortcut of a muted node; a muted link is
no link. Maps of vectors are affine, [3, 4] arrays: a linear part and an offset; a plain value is a map without a
linear part, a scalar one whose three rows are equal.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, NamedTuple, TypeVar

import bpy
import numpy as np
from mathutils import Euler, Matrix

MOST_STEPS = 4000
# Lamps and skies light surfaces by other rays than the camera's.
LIGHT_PATH = {"Is Camera Ray": 0.0, "Is Diffuse Ray": 1.0}


T = TypeVar("T", bound=Hashable)


def reached(beginnings: Iterable[T | None], onward: Callable[[T], Iterable[T]]) -> Iterator[T]:
    """What can be come to from some things, themselves too, each once; `onward` tells where one leads, and is asked
    after it was given."""
    queue, seen = [one for one in beginnings if one is not None], set()
    while queue:
        now = queue.pop()
        if now not in seen:
            seen.add(now)
            yield now
            queue.extend(onward(now))


def node_trees(owner: bpy.types.ID) -> list[bpy.types.NodeTree]:
    """The node trees that belong to an ID: its own, and the groups in it where it is a tree."""
    nodes = owner.nodes if isinstance(owner, bpy.types.NodeTree) else ()
    trees = [getattr(owner, "node_tree", None), *(getattr(node, "node_tree", None) for node in nodes)]
    return [tree for tree in trees if tree is not None]


class Place(NamedTuple):
    """A socket and the group nodes, outermost first, whose trees it lies in. An output that feeds, or an input whose
    own value counts."""

    socket: Any
    groups: tuple[Any, ...]

    @property
    def node(self) -> Any:
        """The node that the input belongs to."""
        return self.socket.node

    def beside(self, key: str | int) -> Place | None:
        """An input of the same node by name or number; None for one that the node's settings take away."""
        inputs = self.node.inputs
        socket = inputs.get(key) if isinstance(key, str) else inputs[key] if key < len(inputs) else None
        return Place(socket, self.groups) if socket is not None else None


class Contribution(NamedTuple):
    """A texture that a world or a light shows, and the share of its brightness that comes through."""

    place: Place
    weight: float


def resolve(place: Place) -> Place | None:
    """The output that feeds an input, the unlinked input whose value counts, or None where nothing arrives."""
    for _ in range(MOST_STEPS):
        socket, groups = place
        links = () if socket.is_unavailable else socket.links
        link = next((link for link in links if link.is_valid and not link.is_muted), None)
        if link is None:
            return place
        behind = _behind(link.from_node, link.from_socket, groups)
        if behind is None or behind.socket.is_output:
            return behind
        place = behind
    return None


def _behind(node: Any, output: Any, groups: tuple[Any, ...]) -> Place | None:
    """The output itself, or the input it merely hands on."""
    if node.mute:
        inner = next((link.from_socket for link in node.internal_links if link.to_socket == output), None)
        return Place(inner, groups) if inner is not None else None
    if node.bl_idname == "NodeReroute":
        return Place(node.inputs[0], groups)
    if node.bl_idname == "ShaderNodeGroup":
        return _twin(group_output(node.node_tree), output.identifier, (*groups, node))
    if node.bl_idname == "NodeGroupInput":
        return _twin(groups[-1], output.identifier, groups[:-1]) if groups else None
    return Place(output, groups)


def group_output(tree: Any) -> Any:
    """The output node of a group that counts."""
    nodes = tree.nodes if tree is not None else ()
    return next((node for node in nodes if node.bl_idname == "NodeGroupOutput" and node.is_active_output), None)


def _twin(node: Any, identifier: str, groups: tuple[Any, ...]) -> Place | None:
    sockets = node.inputs if node is not None else ()
    match = next((socket for socket in sockets if socket.identifier == identifier), None)
    return Place(match, groups) if match is not None else None


def contributions(socket: Any, textures: set[str], camera_ray: float = 0.0) -> list[Contribution]:
    """The textures of the given node types that a shader input shows, strongest first. `camera_ray` is what Light
    Path answers for the camera's own rays: 0 tells what lights the scene, 1 what the camera sees behind it."""
    path = {**LIGHT_PATH, "Is Camera Ray": camera_ray}
    budget = iter(range(MOST_STEPS))
    found = list(_upstream(Place(socket, ()), 1.0, textures, path, budget))
    return sorted(found, key=lambda item: -item.weight)


def _upstream(
    place: Place, weight: float, textures: set[str], path: dict[str, float], budget: Iterator[int]
) -> Iterator[Contribution]:
    source = resolve(place)
    if weight <= 0.0 or source is None or not source.socket.is_output or next(budget, None) is None:
        return
    node = source.node
    if node.bl_idname in textures:
        yield Contribution(source, weight)
        return
    for feed, share in _shares(source, path):
        yield from _upstream(feed, weight * share, textures, path, budget)


def _shares(source: Place, path: dict[str, float]) -> list[tuple[Place, float]]:
    """The inputs whose light a node hands on, with their shares."""
    node = source.node
    inputs = [Place(item, source.groups) for item in node.inputs if item.enabled and not item.is_unavailable]
    if node.bl_idname == "ShaderNodeMixShader" or (
        node.bl_idname in {"ShaderNodeMix", "ShaderNodeMixRGB"} and len(inputs) >= 3
    ):
        factor = scalar(inputs[0], path, unknown=0.5)
        factor = min(max(factor, 0.0), 1.0)
        first = 1.0 - factor if getattr(node, "blend_type", "MIX") == "MIX" else 1.0
        return [(inputs[1], first), (inputs[2], factor)]
    if node.bl_idname in {"ShaderNodeBackground", "ShaderNodeEmission"}:
        return [(inputs[0], scalar(source.beside("Strength"), path, unknown=1.0))]
    passing = [item for item in inputs if item.socket.type in {"RGBA", "SHADER", "VECTOR", "VALUE"}]
    return [(item, 1.0) for item in passing if item.socket.name not in {"Fac", "Factor", "Strength"}]


def scalar(place: Place | None, path: dict[str, float] | None = None, *, unknown: float) -> float:
    """The plain number at an input; `unknown` where a texture or anything else that varies decides it."""
    value = vector_map(place, path)
    if value is None or np.any(value[:, :3]) or not np.isfinite(value).all():
        return unknown
    return float(value[0, 3])


def color(place: Place | None) -> np.ndarray | None:
    """The plain linear colour at an input; None where it varies."""
    value = vector_map(place)
    return None if value is None or np.any(value[:, :3]) else value[:, 3].copy()


def vector_map(place: Place | None, path: dict[str, float] | None = None, depth: int = 0) -> np.ndarray | None:
    """The [3, 4] map that gives a vector input from the direction looked into; None where it is not affine."""
    source = resolve(place) if place is not None else None
    if depth > 100:
        return None
    if source is None:
        return np.zeros((3, 4))
    if not source.socket.is_output:
        return _plain(getattr(source.socket, "default_value", 0.0))
    node = source.node

    def at(key: str | int) -> np.ndarray | None:
        return vector_map(source.beside(key), path, depth + 1)

    read = _READERS.get(node.bl_idname)
    if read is not None:
        return read(node, source.socket, at)
    if node.bl_idname == "ShaderNodeLightPath":
        value = (path or LIGHT_PATH).get(source.socket.name)
        return None if value is None else _plain(value)
    return None


def _plain(value: Any) -> np.ndarray:
    """A number, vector or colour as a map without a linear part."""
    result = np.zeros((3, 4))
    if isinstance(value, int | float):
        result[:, 3] = value
    elif not isinstance(value, str) and hasattr(value, "__len__") and len(value) >= 3:
        result[:, 3] = value[:3]
    return result


def _linear(matrix: Any) -> np.ndarray:
    return np.hstack([np.array(matrix, dtype=float)[:3, :3], np.zeros((3, 1))])


At = Callable[[str | int], "np.ndarray | None"]


def _coordinate(node: Any, output: Any, _: At) -> np.ndarray | None:
    """What a background is looked up by. Its normal and its incoming vector are the view direction turned round."""
    if output.name in {"Generated", "Position"}:
        return _linear(np.eye(3))
    if output.name in {"Normal", "Incoming", "True Normal", "Reflection"}:
        return _linear(-np.eye(3))
    if output.name == "Object":
        target = getattr(node, "object", None)
        matrix = target.matrix_world if target is not None else Matrix()
        return np.array(matrix.inverted_safe(), dtype=float)[:3]
    return None


def _mapping(node: Any, _: Any, at: At) -> np.ndarray | None:
    vector, place, turn, size = at("Vector"), at("Location"), at("Rotation"), at("Scale")
    if vector is None or turn is None or size is None or np.any(turn[:, :3]) or np.any(size[:, :3]):
        return None
    if place is None or np.any(place[:, :3]):
        return None
    rotation = np.array(Euler(turn[:, 3]).to_matrix())
    return _mapped(node.vector_type, rotation, size[:, 3], place[:, 3]) @ _square(vector)


def _mapped(kind: str, rotation: np.ndarray, size: np.ndarray, place: np.ndarray) -> np.ndarray:
    """The map of a Mapping node or of a texture's own mapping."""
    if kind == "TEXTURE":
        inverse = np.diag(_safe_inverse(size)) @ rotation.T
        return np.hstack([inverse, -(inverse @ place)[:, None]])
    if kind == "NORMAL":
        return _linear(rotation @ np.diag(_safe_inverse(size)))
    result = _linear(rotation @ np.diag(size))
    if kind == "POINT":
        result[:, 3] = place
    return result


def texture_mapping(node: Any) -> np.ndarray:
    """The map that a texture node carries itself (the interface hides it; scripts and Sun Position set it)."""
    own = node.texture_mapping
    rotation = np.array(Euler(own.rotation).to_matrix())
    return _mapped(own.vector_type, rotation, np.array(own.scale[:]), np.array(own.translation[:]))


def _safe_inverse(size: np.ndarray) -> np.ndarray:
    return np.array([1.0 / s if s != 0.0 else 0.0 for s in size])


def _square(rows: np.ndarray) -> np.ndarray:
    return np.vstack([rows, [0.0, 0.0, 0.0, 1.0]])


def _rotate(node: Any, _: Any, at: At) -> np.ndarray | None:
    vector, center, matrix = at("Vector"), at("Center"), _turn(node, at)
    if vector is None or center is None or matrix is None:
        return None
    return _linear(matrix.transposed() if node.invert else matrix) @ _square(vector - center) + center


def _turn(node: Any, at: At) -> Matrix | None:
    """The matrix of a Vector Rotate node; None where its angles vary."""
    if node.rotation_type == "EULER_XYZ":
        euler = at("Rotation")
        return Euler(euler[:, 3]).to_matrix() if euler is not None and not np.any(euler[:, :3]) else None
    axes = {"X_AXIS": (1.0, 0.0, 0.0), "Y_AXIS": (0.0, 1.0, 0.0), "Z_AXIS": (0.0, 0.0, 1.0)}
    axis = at("Axis") if node.rotation_type == "AXIS_ANGLE" else _plain(axes[node.rotation_type])
    angle = at("Angle")
    if axis is None or angle is None or np.any(axis[:, :3]) or np.any(angle[:, :3]) or not np.any(axis[:, 3]):
        return None
    return Matrix.Rotation(angle[0, 3], 3, axis[:, 3])


def _arithmetic(node: Any, _: Any, at: At) -> np.ndarray | None:
    """Math and Vector Math as far as they keep a map affine."""
    first, kind = at(0), node.operation
    if first is None:
        return None
    if kind in {"NORMALIZE", "RADIANS", "DEGREES"}:
        return first * {"RADIANS": np.pi / 180.0, "DEGREES": 180.0 / np.pi}.get(kind, 1.0)
    second = at("Scale" if kind == "SCALE" else 1)
    if second is None:
        return None
    if kind in {"ADD", "SUBTRACT"}:
        return first + second if kind == "ADD" else first - second
    if kind == "DIVIDE" and not np.any(second[:, :3]):
        return first * _safe_inverse(second[:, 3])[:, None]
    if kind in {"MULTIPLY", "MULTIPLY_ADD", "SCALE"} and not (np.any(first[:, :3]) and np.any(second[:, :3])):
        varying, factor = (second, first) if np.any(second[:, :3]) else (first, second)
        product = varying * factor[:, 3][:, None]
        rest = at(2) if kind == "MULTIPLY_ADD" else _plain(0.0)
        return None if rest is None else product + rest
    return None


def _combine(_: Any, __: Any, at: At) -> np.ndarray | None:
    rows = [at(index) for index in range(3)]
    return None if any(row is None for row in rows) else np.array([row[0] for row in rows])  # type: ignore[index]


def _separate(_: Any, output: Any, at: At) -> np.ndarray | None:
    vector = at(0)
    index = {"X": 0, "Y": 1, "Z": 2, "Red": 0, "Green": 1, "Blue": 2}.get(output.name)
    return None if vector is None or index is None else np.repeat(vector[index : index + 1], 3, axis=0)


def _value(_: Any, output: Any, __: At) -> np.ndarray:
    return _plain(output.default_value)


def _falloff(_: Any, __: Any, at: At) -> np.ndarray | None:
    """Light Falloff: what it gives for a sun, and a lamp's strength as it falls off by itself."""
    return at("Strength")


_READERS: dict[str, Callable[[Any, Any, At], np.ndarray | None]] = {
    "ShaderNodeTexCoord": _coordinate,
    "ShaderNodeNewGeometry": _coordinate,
    "ShaderNodeMapping": _mapping,
    "ShaderNodeVectorRotate": _rotate,
    "ShaderNodeVectorMath": _arithmetic,
    "ShaderNodeMath": _arithmetic,
    "ShaderNodeCombineXYZ": _combine,
    "ShaderNodeSeparateXYZ": _separate,
    "ShaderNodeValue": _value,
    "ShaderNodeRGB": _value,
    "ShaderNodeLightFalloff": _falloff,
}


def texture_map(texture: Place) -> np.ndarray | None:
    """The [3, 4] map from the direction looked into to the vector that a texture is looked up by. None where it is not
    affine (noise in the coordinates)."""
    socket = texture.node.inputs.get("Vector")
    outer = _linear(np.eye(3))
    if socket is not None and not socket.is_unavailable:
        place = Place(socket, texture.groups)
        source = resolve(place)
        if source is None or source.socket.is_output or source.groups != texture.groups:
            turned = vector_map(place)
            if turned is None:
                return None
            outer = turned
    return texture_mapping(texture.node) @ _square(outer)


def seen_at(mapping: np.ndarray, direction: np.ndarray) -> np.ndarray | None:
    """The unit direction in which a texture's `direction` is seen under a map; None where no direction shows it."""
    linear, offset = mapping[:, :3], mapping[:, 3]
    if abs(np.linalg.det(linear)) < 1e-9:
        return None
    inverse = np.linalg.inv(linear)
    way, start = inverse @ direction, -inverse @ offset
    # |start + k * way| = 1 with the larger k, which lies ahead.
    a, b, c = float(way @ way), float(way @ start), float(start @ start) - 1.0
    root = b * b - a * c
    if root < 0.0 or (k := (-b + root**0.5) / a) <= 0.0:
        return None
    return start + k * way
