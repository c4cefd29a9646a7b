# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may import whom: the rules of the house, read off the import statements of every file."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLENDER = {"bpy", "bpy_extras", "mathutils", "gpu", "blf", "addon_utils", "_cycles", "imbuf"}
ENGINE = {
    "torch",
    "safetensors",
    "einops",
    "cv2",
    "huggingface_hub",
    "tokenizers",
    "ftfy",
    "av",
    "PIL",
    "gguf",
    "httpx2",
}
ENGINE |= {"filelock", "httpx2", "matplotlib", "ncnn", "onnxruntime", "spandrel"}
COLOR = "wan_engine.color_temperature"
REQUEST = {"wan_engine.request", "wan_engine.options", "wan_engine.errors", "wan_engine.saved_state"}
TORCH_FREE = {
    "wan_engine.terminal",
    "wan_engine",
    "wan_engine.caches",
    "wan_engine.errors",
    "wan_engine.expert_names",
    "wan_engine.light_curve",
    "wan_engine.option_arguments",
    "wan_engine.option_kinds",
    "wan_engine.options",
    "wan_engine.request",
    "wan_engine.request_parts",
    "wan_engine.saved_state",
    "wan_engine.text_files",
    "wan_engine.windows",
    "wan_engine.checkpoint",
    "wan_engine.checkpoint.distilled",
    "wan_engine.checkpoint.identification",
    "wan_engine.checkpoint.model",
    "wan_engine.checkpoint.models",
    "wan_engine.checkpoint.sizes",
    "wan_engine.checkpoint.summary",
}
LOWER_ROOMS = {"scratch", "scene", "prompting", "conditioning", "sequencer", "bridge", *TORCH_FREE}
FACES = {"previs", "properties"}

# Room or file -> (parts of the product it may import, outside packages it may import). numpy comes with Blender.
RULES: dict[str, tuple[set[str], set[str]]] = {
    "__init__.py": ({"operators", "panels", "properties", "preferences", "cli"}, BLENDER),
    "__main__.py": ({"cli"}, BLENDER),
    "cli.py": (FACES, BLENDER),
    "operators": ({"operators", *FACES}, BLENDER),
    "panels": ({"panels", *FACES}, BLENDER),
    "properties": ({"compat", "previs", "properties", "wan_engine.option_kinds", "wan_engine.options"}, BLENDER),
    "preferences.py": ({"previs"}, BLENDER),
    "previs": ({"previs", *LOWER_ROOMS}, BLENDER),
    "compat.py": (set(), BLENDER),
    "scratch.py": (set(), BLENDER),
    "scene": ({"scene", "compat", COLOR}, BLENDER | {"numpy", "astral"}),
    "scene/brief.py": ({"scene"}, set()),
    "prompting": ({"prompting", "scene.brief"}, set()),
    "conditioning": (
        {"conditioning", "scene", "compat", "scratch", COLOR, "wan_engine.light_curve"},
        BLENDER | {"numpy"},
    ),
    "sequencer": ({"sequencer", "compat", "scratch"}, BLENDER | {"numpy"}),
    "bridge": ({"bridge", *REQUEST}, set()),
    "bridge/worker.py": ({"bridge", "wan_engine"}, set()),
    "bridge/warm_engine.py": ({"bridge", "wan_engine"}, ENGINE),
    "wan_engine": ({"wan_engine"}, ENGINE | {"numpy"}),
    **{f"{name.replace('.', '/')}.py": ({"wan_engine"}, set()) for name in TORCH_FREE if "." in name},
    "wan_engine/color_temperature.py": (set(), {"numpy"}),
    "training": ({"training", "wan_engine"}, ENGINE | {"numpy"}),
    # The prompts that the checkpoint is trained on are the extension's own, read from the extension's own briefs; so is
    # the light it is scored with.
    "training/generator.py": (
        {"training", "prompting", "scene.reader", "conditioning.light_curve", COLOR},
        BLENDER,
    ),
}
del RULES["wan_engine/checkpoint.py"]  # a room, not a file
FREE = ("tests", "benchmarks", "docs", "examples", "tools")


def product_files():
    for path in sorted(ROOT.rglob("*.py")):
        relative = path.relative_to(ROOT)
        if not any(part.startswith(".") for part in relative.parts) and relative.parts[0] not in (
            *FREE,
            "dist",
            "demo",
            "build",
        ):
            yield relative


def rule_for(relative: Path):
    return RULES.get(relative.as_posix()) or RULES.get(relative.parts[0])


def imported(relative: Path):
    """Every imported module as (level, dotted name); relative ones resolved against the repository."""
    package = relative.parts[:-1]
    for node in ast.walk(ast.parse((ROOT / relative).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield 0, alias.name
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield 0, node.module or ""
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1]
            target = ".".join((*base, *(node.module or "").split("."))).strip(".")
            names = [alias.name for alias in node.names]
            # `from . import x` imports the module x; `from .x import y` imports x
            is_module = [
                (ROOT / Path(*target.split("."), f"{n}.py")).exists() or (ROOT / target.replace(".", "/") / n).is_dir()
                for n in names
            ]
            for name, module in zip(names, is_module, strict=True):
                yield node.level, f"{target}.{name}".strip(".") if module else target


def allowed(name: str, parts: set[str]) -> bool:
    return any(name == part or name.startswith(part + ".") for part in parts)


@pytest.mark.parametrize("relative", list(product_files()), ids=str)
def test_a_file_imports_only_what_its_room_may(relative):
    rule = rule_for(relative)
    assert rule is not None, f"{relative} stands in no room of the house"
    parts, outside = rule
    local = {p.name.removesuffix(".py") for p in ROOT.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}
    for level, name in imported(relative):
        top = name.split(".")[0]
        if level:
            assert allowed(name, parts), f"{relative} may not import {name}"
        elif top == "wan_previs" or top in local:
            inside = name.removeprefix("wan_previs.")
            worker_side = relative.parts[0] in ("bridge", "training", "tools")
            assert worker_side, f"{relative} imports {name} absolutely; inside the add-on imports are relative"
            assert allowed(inside, parts), f"{relative} may not import {name}"
        elif top not in sys.stdlib_module_names:
            assert top in outside, f"{relative} may not import {name}"


@pytest.mark.parametrize("path", [*(ROOT / "wan_engine").rglob("*.py"), *(ROOT / "tools").rglob("*.py"),
                                  *(ROOT / "benchmarks").rglob("*.py")], ids=lambda path: path.name)  # fmt: skip
def test_what_is_drawn_is_drawn_by_matplotlib_without_its_global_state(path):
    drawing = {"matplotlib.pyplot", "pylab", "PIL.ImageDraw", "PIL.ImageFont"}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        else:
            names = set()
        assert not names & drawing


# The engine's rooms from top to bottom: a room imports from those below it only.
ENGINE_ORDER = (
    {"__main__"},
    {"cli"},
    {"selftest"},
    {"pipeline"},
    {"sampling", "commands"},
    {"reports"},
    {"inputs"},
    {"runtime"},
    {"checkpoint"},
    {"weights", "finishing", "follow"},
    {"light", "request", "option_arguments", "devices"},
    {"options"},
    {"option_kinds"},
    {"request_parts"},
    {"networks"},
    {"media", "light_curve", "expert_names", "windows"},
    {"text_files"},
    {"errors", "caches", "color_temperature", "saved_state", "terminal", "torch_private"},
)


def engine_imports():
    """Every file of the engine, with the name of its module, and each module of the engine that it imports."""
    for relative in (path for path in product_files() if path.parts[0] == "wan_engine" and len(path.parts) > 1):
        module = ".".join(relative.with_suffix("").parts)
        for level, name in imported(relative):
            if level and name != "wan_engine":
                yield module, name


def test_the_engine_imports_downward_only():
    rank = {room: number for number, rooms in enumerate(ENGINE_ORDER) for room in rooms}
    upward = set()
    for module, name in engine_imports():
        room, other = module.split(".")[1], name.split(".")[1]
        if room not in (other, "__init__") and rank[other] <= rank[room]:
            upward.add((module, name))
    assert not upward


def test_no_files_of_the_engine_import_each_other_in_a_circle():
    imports: dict[str, set[str]] = {}
    for module, name in engine_imports():
        imports.setdefault(module, set()).add(name)
    left = set(imports)
    while found := {module for module in left if not imports[module] & left}:
        left -= found
    assert not left, f"these import each other in a circle: {sorted(left)}"


@pytest.mark.parametrize("room", ["prompting", "conditioning", "previs", "scene", "sequencer", "bridge", "properties"])
def test_a_room_has_no_circle_of_imports(room):
    files = [path for path in product_files() if path.parts[0] == room and path.name != "__init__.py"]
    modules = {".".join(path.with_suffix("").parts): path for path in files}
    needs = {name: {other for _, other in imported(path) if other in modules} for name, path in modules.items()}
    assert any(needs.values())
    TopologicalSorter(needs).prepare()  # raises CycleError with the circle


@pytest.mark.parametrize(
    "module",
    [
        "wan_engine.options",
        "wan_engine.request",
        "wan_engine.checkpoint.summary",
        "scene.brief",
        "prompting",
        "bridge.client",
        COLOR,
    ],
)
def test_a_module_needs_neither_torch_nor_bpy(module):
    banned = ("torch", "bpy", "mathutils", *([] if module == COLOR else ["numpy"]))
    code = (
        "import sys\n"
        "class Ban:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.split('.')[0] in {banned}:\n"
        "            raise ImportError('banned: ' + name)\n"
        "sys.meta_path.insert(0, Ban())\n"
        f"import wan_previs.{module}\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_rule_is_about_something_that_exists():
    for name in RULES:
        assert (ROOT / name).exists() or (ROOT / f"{name}.py").exists(), f"the rule for {name} is about nothing"
