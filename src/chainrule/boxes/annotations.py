"""Pictures and the boxes of the objects in them, as the usual formats of annotation hold them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from ..constraints import OneOf
from ..errors import DataError, ImageError, MissingDependencyError
from ..files import write_whole
from ..images.folder import PARTS
from ..images.picture import SUFFIXES, read_header, read_picture
from .average_precision import Detections, Objects
from .checking import WrongBox, checked_boxes

__all__ = ["Annotations", "annotation_kind", "is_annotated", "read_annotations", "write_coco"]

#: Files of annotations, and descriptions of YOLO folders, of more bytes are refused.
_TEXT_LIMIT, _YAML_LIMIT = 512 * 2**20, 2**20
_YOLO = ("data.yaml", "data.yml", "dataset.yaml")


@dataclass(frozen=True)
class Annotations:
    """Pictures with the boxes of the objects in them.

    Parameters
        pictures : paths of the files ; objects : boxes in pixels and class numbers of each picture ; classes : their names
        wrong : boxes that were clipped or left out ; part : "train", "validation" or "test" of each picture where the data
            say so, else ""
        numbers : the identity of each picture in a COCO file, else counted from 1
        unreadable : why pictures were left out that are missing or damaged
    """

    pictures: list[Path]
    objects: list[Objects]
    classes: list[str]
    wrong: list[WrongBox] = field(default_factory=list)
    part: list[str] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.pictures)

    def __repr__(self) -> str:
        boxes = sum(len(one.boxes) for one in self.objects)
        return f"Annotations({len(self):,} pictures, {boxes:,} boxes, {len(self.classes)} classes)"

    def take(self, rows: Sequence[int]) -> Annotations:
        """These pictures alone."""
        return replace(
            self,
            pictures=[self.pictures[i] for i in rows],
            objects=[self.objects[i] for i in rows],
            part=[self.part[i] for i in rows] if self.part else [],
            numbers=[self.numbers[i] for i in rows] if self.numbers else [],
        )

    def classed(self, classes: Sequence[str], where: Any = "") -> Annotations:
        """The same with class numbers as in ``classes``. Raises  DataError for a class that is not among them"""
        if list(classes) == self.classes:
            return self
        unknown = [name for name in self.classes if name not in classes]
        used = {self.classes[c] for one in self.objects for c in one.classes.tolist()}
        if any(name in used for name in unknown):
            bad = next(name for name in unknown if name in used)
            raise DataError(f"{where}: the class {bad!r} is not one of those known: {', '.join(classes)}.")
        number = np.array([classes.index(name) if name in classes else -1 for name in self.classes] or [0], np.int64)
        objects = [replace(one, classes=number[one.classes]) for one in self.objects]
        return replace(self, objects=objects, classes=list(classes))


def annotation_kind(place: Path) -> str | None:
    """ "coco", "voc" or "yolo" for a folder or file that is annotated so; None for anything else. Reads no annotation.

    ``data.yaml`` is YOLO's, ``.xml`` files are Pascal VOC's, and ``.json`` files are taken for COCO's.
    """
    if place.is_file():
        return "coco" if place.suffix.lower() == ".json" else "yolo" if place.suffix.lower() in (".yaml", ".yml") else None
    if not place.is_dir():
        return None
    if any((place / name).is_file() for name in _YOLO):
        return "yolo"
    names = [entry.name.lower() for entry in _shallow(place)]
    if any(name.endswith(".xml") for name in names):
        return "voc"
    if any(name.endswith(".json") for name in names):
        return "coco"
    return "yolo" if (place / "labels").is_dir() and (place / "images").is_dir() else None


def is_annotated(place: Path) -> bool:
    """Whether a folder or file looks annotated with boxes; of ``.json`` files one must look like COCO's."""
    kind = annotation_kind(place)
    if kind != "coco":
        return kind is not None and not (place.is_file() and kind == "yolo" and place.name not in _YOLO)
    files = [place] if place.is_file() else [Path(e.path) for e in _shallow(place) if e.name.lower().endswith(".json")]
    for file in files[:50]:
        with file.open("rb") as stream:
            start = stream.read(4096)
            stream.seek(max(0, file.stat().st_size - 4096))
            ends = start + stream.read(4096)
        if sum(word in ends for word in (b'"images"', b'"annotations"', b'"categories"', b'"bbox"')) >= 2:
            return True
    return False


def _shallow(place: Path) -> Iterator[os.DirEntry[str]]:
    """Entries of a folder, of those in it, and one level further: annotations lie no deeper."""
    waiting = [(place, 0)]
    while waiting:
        folder, depth = waiting.pop()
        for entry in sorted(os.scandir(folder), key=lambda e: e.name):
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                if depth < 2:
                    waiting.append((Path(entry.path), depth + 1))
            else:
                yield entry


def read_annotations(
    place: str | os.PathLike[str],
    *,
    wrong: str = "clip",
    classes: Sequence[str] | None = None,
    broken: str = "stop",
) -> Annotations:
    """The pictures and boxes of a folder or file.

    ===========  ==============================================================================================
    Pascal VOC   ``.xml`` files, each beside its picture, or in ``Annotations`` with the pictures in ``JPEGImages``; lists of
                 names in ``ImageSets/Main/{train,val,test}.txt`` divide them
    COCO         a ``.json`` file, or a folder with one or several (``_annotations.coco.json``, ``instances_train.json``);
                 the pictures lie beside it, or below the folder
    YOLO         ``data.yaml`` with ``names`` and the folders of the parts, and for each picture a ``.txt`` file with lines
                 ``class x y width height`` in shares of the picture, in ``labels`` in place of ``images``
    ===========  ==============================================================================================

    Parameters  wrong : what boxes that are empty, outside or exchanged do: "stop", "clip" (put right, as far as that can be,
                else left out) or "skip" ; classes : names that numbers stand for, None for those that the data name
                broken : what pictures that are missing or damaged do: "stop" or "skip"
    Raises      DataError for an annotation that cannot be read or names what is not there ; ImageError for a picture that is
                missing or damaged
    """
    folder = Path(place)
    if not folder.exists():
        raise DataError(f"{folder}: there is no such file or folder.")
    kind = annotation_kind(folder)
    headers = _Headers(broken)
    readers: dict[str, Callable[[Path, str, _Headers], Annotations]] = {"coco": _coco, "voc": _voc, "yolo": _yolo}
    if kind is None:
        raise DataError(
            f"{folder}: there are no boxes in it. Expected a COCO file (.json), Pascal VOC files (.xml beside the pictures) "
            "or a YOLO folder (data.yaml, images/ and labels/)."
        )
    found = replace(readers[kind](folder, wrong, headers), unreadable=headers.unreadable)
    if not len(found):
        why = f" that can be read. {headers.unreadable[0]}" if headers.unreadable else "."
        raise DataError(f"{folder}: the annotations name no picture{why}")
    return found if classes is None else found.classed(classes, folder)


# ---------------------------------------------------------------- Pascal VOC


def _voc(folder: Path, wrong: str, headers: _Headers) -> Annotations:
    import xml.etree.ElementTree as ElementTree

    files = sorted(Path(e.path) for e in _shallow(folder) if e.name.lower().endswith(".xml"))
    pictures = _Pictures(folder)
    parts = _lists_of_voc(folder)
    found, boxes_of, names_of, crowds, part, faults = [], [], [], [], [], []
    for file in files:
        try:
            if file.stat().st_size > _TEXT_LIMIT:
                raise DataError(f"{file}: an annotation of more than {_TEXT_LIMIT:,} bytes is refused.")
            text = file.read_text(encoding="utf-8", errors="strict")
            if "<!ENTITY" in text:
                raise DataError(f"{file}: an XML file that defines entities is refused.")
            root = ElementTree.fromstring(text)
        except (ElementTree.ParseError, UnicodeDecodeError) as error:
            raise DataError(f"{file}: it is no XML that can be read ({error}).") from error
        if root.tag != "annotation":
            raise DataError(f"{file}: expected a Pascal VOC <annotation>, got <{root.tag}>.")
        named = (root.findtext("filename") or "").strip()
        picture = pictures.find(named, near=file) or pictures.beside(file)
        size = headers.size(picture, f"{file}: the picture {named or file.stem!r}", folder)
        if picture is None or size is None:
            continue
        given, names, crowd = [], [], []
        for item in root.iter("object"):
            label, box = (item.findtext("name") or "").strip(), item.find("bndbox")
            values = [None if box is None else box.findtext(side) for side in ("xmin", "ymin", "xmax", "ymax")]
            if not label or any(value is None for value in values):
                raise DataError(f"{file}: an <object> needs a <name> and a <bndbox> with xmin, ymin, xmax and ymax.")
            given.append([_number(value, file, label) for value in values])
            names.append(label)
            crowd.append((item.findtext("difficult") or "0").strip() == "1")
        boxes, rows, bad = checked_boxes(given, size, str(file), wrong=wrong)
        found.append(picture)
        boxes_of.append(boxes)
        names_of.append([names[row] for row in rows.tolist()])
        crowds.append(np.array(crowd, bool)[rows])
        faults += bad
        part.append(parts.get(file.stem, _part_of(file, folder)))
    classes = sorted({name for names in names_of for name in names})
    number = {name: i for i, name in enumerate(classes)}
    objects = [
        Objects(boxes, [number[name] for name in names], crowd)  # type: ignore[arg-type]
        for boxes, names, crowd in zip(boxes_of, names_of, crowds, strict=True)
    ]
    return Annotations(found, objects, classes, faults, part, list(range(1, len(found) + 1)))


def _lists_of_voc(folder: Path) -> dict[str, str]:
    """{name of a picture: its part} from ImageSets/Main."""
    found: dict[str, str] = {}
    for name, part in PARTS.items():
        for place in (folder / "ImageSets" / "Main" / f"{name}.txt", folder / f"{name}.txt"):
            if place.is_file():
                for line in place.read_text(encoding="utf-8", errors="replace").splitlines():
                    if line.strip():
                        found[Path(line.split()[0]).stem] = part
    return found


# ---------------------------------------------------------------- COCO


def _coco(place: Path, wrong: str, headers: _Headers) -> Annotations:
    files = [place] if place.is_file() else sorted(Path(e.path) for e in _shallow(place) if e.name.lower().endswith(".json"))
    folder = place.parent if place.is_file() else place
    pictures, read = _Pictures(folder), []
    for file in files:
        data = _json(file)
        if isinstance(data, dict) and "images" in data and "annotations" in data:
            read.append((file, data))
    if not read:
        raise DataError(f"{place}: no .json file in it has the lists 'images', 'annotations' and 'categories' of COCO.")
    names = sorted({_name(one, file) for file, data in read for one in _list(data, "categories", file)})
    if len(read) == 1:  # the order of the file
        names = [_name(one, read[0][0]) for one in _list(read[0][1], "categories", read[0][0])]
    # Exporters write a category for the whole, which no box has.
    used = {
        (i, _identity(one, "category_id", file))
        for i, (file, data) in enumerate(read) for one in _list(data, "annotations", file)
    }  # fmt: skip
    seen = {_name(one, file) for i, (file, data) in enumerate(read) for one in data["categories"] if (i, one["id"]) in used}
    classes = [name for name in dict.fromkeys(names) if name in seen] or list(dict.fromkeys(names))
    found, objects, part, numbers, faults = [], [], [], [], []
    for file, data in read:
        label = {one["id"]: _name(one, file) for one in data["categories"]}
        by_picture: dict[Any, list[Any]] = {}
        known: set[Any] = set()
        for one in _list(data, "images", file):
            if _identity(one, "id", file) in known:
                raise DataError(f"{file}: two pictures have the id {one['id']!r}.")
            known.add(one["id"])
        for one in data["annotations"]:
            if _identity(one, "image_id", file) not in known:
                raise DataError(
                    f"{file}: annotation {one.get('id')!r} is of picture {one.get('image_id')!r}, which is not listed."
                )
            if one.get("category_id") not in label:
                raise DataError(f"{file}: annotation {one.get('id')!r} has the unknown category {one.get('category_id')!r}.")
            by_picture.setdefault(one["image_id"], []).append(one)
        for one in data["images"]:
            named = str(one.get("file_name", ""))
            picture = pictures.find(named, near=file)
            size, mine = headers.size(picture, f"{file}: the picture {named!r}", folder), by_picture.get(one["id"], [])
            if picture is None or size is None:
                continue
            given = []
            for a in mine:
                box = a.get("bbox")
                if not isinstance(box, list) or len(box) != 4:
                    raise DataError(
                        f"{file}: annotation {a.get('id')!r} needs bbox [left, top, width, height]. Got {box!r}."
                    )
                x, y, w, h = (_number(v, file, f"annotation {a.get('id')!r}") for v in box)
                given.append([x, y, x + w, y + h])
            boxes, rows, bad = checked_boxes(given, size, f"{file}, {named}", wrong=wrong)
            kept = [mine[row] for row in rows.tolist()]
            found.append(picture)
            objects.append(
                Objects(
                    boxes,
                    np.array([classes.index(label[a["category_id"]]) for a in kept], np.int64),
                    np.array([bool(a.get("iscrowd", 0)) for a in kept], bool),
                    np.array([_area(a, b, file) for a, b in zip(kept, boxes, strict=True)]),
                )
            )
            faults += bad
            part.append(_part_of(file, folder) or _part_of(picture, folder))
            numbers.append(int(one["id"]) if isinstance(one.get("id"), int) and len(read) == 1 else len(found))
    return Annotations(found, objects, classes, faults, part, numbers)


def _area(annotation: dict[str, Any], box: Any, file: Path) -> float:
    """The area that an annotation says, else that of its box."""
    area = _number(annotation.get("area") or 0, file, f"annotation {annotation.get('id')!r}, area")
    return area if 0 < area < np.inf else float((box[2] - box[0]) * (box[3] - box[1]))


def _identity(one: dict[str, Any], key: str, file: Path) -> Any:
    """What a picture or a category is known by."""
    value = one.get(key)
    if not isinstance(value, (int, str)):
        shown = f"annotation {one.get('id')!r}" if key != "id" else f"{one!r:.80}"
        raise DataError(f"{file}, {shown}: expected a number or a text under {key!r}, got {value!r:.60}.")
    return value


def _list(data: dict[str, Any], key: str, file: Path) -> list[Any]:
    value = data.get(key)
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise DataError(f"{file}: expected a list of objects under {key!r}, as COCO has it.")
    return value


def _name(category: dict[str, Any], file: Path) -> str:
    if "name" not in category or "id" not in category:
        raise DataError(f"{file}: a category needs an id and a name. Got {category!r}.")
    _identity(category, "id", file)
    return str(category["name"])


def _json(file: Path) -> Any:
    try:
        if file.stat().st_size > _TEXT_LIMIT:
            raise DataError(f"{file}: an annotation of more than {_TEXT_LIMIT:,} bytes is refused.")
        return json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file}: it is no JSON that can be read ({error}).") from error


def write_coco(
    place: str | os.PathLike[str],
    pictures: Sequence[str],
    found: Sequence[Detections],
    classes: Sequence[str],
    *,
    sizes: Sequence[tuple[int, int]],
    numbers: Sequence[int] | None = None,
) -> None:
    """Writes found boxes as one COCO file: "images", "categories", and "annotations" that have a "score".

    Parameters  pictures : names ; sizes : (height, width) of each ; numbers : identities, None for 1, 2, ...
    """
    numbers = list(range(1, len(pictures) + 1)) if numbers is None else list(numbers)
    images = [
        {"id": number, "file_name": name, "height": int(h), "width": int(w)}
        for number, name, (h, w) in zip(numbers, pictures, sizes, strict=True)
    ]
    annotations: list[dict[str, Any]] = []
    for number, one in zip(numbers, found, strict=True):
        for box, score, c in zip(one.boxes.tolist(), one.scores.tolist(), one.classes.tolist(), strict=True):
            left, top, right, bottom = (round(v, 2) for v in box)
            size = [round(right - left, 2), round(bottom - top, 2)]
            annotations.append(
                {
                    "id": len(annotations) + 1, "image_id": number, "category_id": c + 1, "bbox": [left, top, *size],
                    "area": round(size[0] * size[1], 2), "iscrowd": 0, "score": round(score, 6),
                }
            )  # fmt: skip
    categories = [{"id": i + 1, "name": name} for i, name in enumerate(classes)]
    write_whole(place, json.dumps({"images": images, "categories": categories, "annotations": annotations}))


# ---------------------------------------------------------------- YOLO


def _yolo(place: Path, wrong: str, headers: _Headers) -> Annotations:
    folder = place.parent if place.is_file() else place
    file = place if place.is_file() else next(
        (folder / name for name in _YOLO if (folder / name).is_file()), None
    )  # fmt: skip
    names, roots = _yaml(file, folder) if file is not None else (None, [("", folder / "images")])
    found, objects, part, faults, highest = [], [], [], [], -1
    for name, root in roots:
        for picture in sorted(p for p in root.rglob("*") if p.suffix.lower() in SUFFIXES and not p.name.startswith(".")):
            size, text = headers.size(picture, str(picture), root), _label_file(picture, root)
            if size is None:
                continue
            given, classes = _yolo_lines(text, size, names) if text.is_file() else ([], [])
            boxes, rows, bad = checked_boxes(given, size, str(text), wrong=wrong)
            found.append(picture)
            objects.append(Objects(boxes, np.array(classes, np.int64)[rows]))
            highest = max([highest, *classes])
            part.append(name or _part_of(picture, folder))
            faults += bad
    names = names if names is not None else [str(i) for i in range(highest + 1)]
    if found and not any(len(one.boxes) for one in objects):
        where = "Labels lie in labels/ in place of images/."
        if faults:
            where = (
                f"All boxes were left out. {faults[0]} Numbers are shares of the picture's width and height, from 0 to 1."
            )
        raise DataError(f"{place}: none of the {len(found):,} pictures has a box. {where}")
    return Annotations(found, objects, names, faults, part, list(range(1, len(found) + 1)))


def _label_file(picture: Path, root: Path) -> Path:
    """labels/... in place of the last images/... of the path; else beside the picture."""
    parts = list(picture.parts)
    for i in range(len(parts) - 2, -1, -1):
        if parts[i].lower() == "images":
            parts[i] = "labels"
            return Path(*parts).with_suffix(".txt")
    return picture.with_suffix(".txt")


def _yolo_lines(file: Path, size: tuple[int, int], names: list[str] | None) -> tuple[list[list[float]], list[int]]:
    height, width = size
    boxes, classes = [], []
    for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        words = line.split()
        if not words:
            continue
        where = f"line {number}"
        values = [_number(word, file, where) for word in words]
        if len(values) != 5 and (len(values) < 7 or len(values) % 2 == 0):
            raise DataError(f"{file}, {where}: expected class, x, y, width, height. Got {len(values)} numbers.")
        c = int(values[0]) if 0 <= values[0] < 2**31 else -1
        if c != values[0] or (names is not None and c >= len(names)):
            known = "" if names is None else f" The classes are 0 to {len(names) - 1}: {', '.join(names)}."
            raise DataError(f"{file}, {where}: the class {words[0]} is not known.{known}")
        if len(values) == 5:
            x, y, w, h = values[1:]
            box = [x - w / 2, y - h / 2, x + w / 2, y + h / 2]
        else:  # a polygon
            box = [min(values[1::2]), min(values[2::2]), max(values[1::2]), max(values[2::2])]
        boxes.append([box[0] * width, box[1] * height, box[2] * width, box[3] * height])
        classes.append(c)
    return boxes, classes


def _yaml(file: Path, folder: Path) -> tuple[list[str], list[tuple[str, Path]]]:
    """The names of the classes, and the folders of the parts."""
    data = _read_yaml(file)
    names = data.get("names")
    if isinstance(names, dict):
        try:
            order = sorted(names, key=int)
            if [int(key) for key in order] != list(range(len(order))):
                raise ValueError(f"the numbers are {', '.join(map(str, order))}")
        except (TypeError, ValueError) as error:
            raise DataError(f"{file}: the classes under 'names' must be numbered 0, 1, 2, ...; {error}.") from error
        names = [str(names[key]) for key in order]
    if not isinstance(names, list) or not names:
        raise DataError(f"{file}: expected the names of the classes under 'names', as a list or as numbers with names.")
    base = folder / str(data.get("path") or "")
    base = base if base.is_dir() else folder
    roots = []
    for key, part in (("train", "train"), ("val", "validation"), ("valid", "validation"), ("test", "test")):
        value = data.get(key)
        for one in value if isinstance(value, list) else [value] if value else []:
            # Exporters write ../train/images, seen from a folder that is not there.
            candidates = [base / str(one), folder / str(one), folder / str(one).replace("../", "")]
            root = next((c for c in candidates if c.is_dir()), None)
            if root is None:
                raise DataError(f"{file}: the folder {one!r} under {key!r} is not there.")
            roots.append((part, root))
    return [str(name) for name in names], roots or [("", folder / "images" if (folder / "images").is_dir() else folder)]


def _read_yaml(file: Path) -> dict[str, Any]:
    try:
        import yaml
    except ImportError as error:
        raise MissingDependencyError("PyYAML", f"Reading {file}", extra="images") from error
    try:
        if file.stat().st_size > _YAML_LIMIT:
            raise DataError(f"{file}: a description of more than {_YAML_LIMIT:,} bytes is refused.")
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(f"{file}: it is no YAML that can be read ({error}).") from error
    if not isinstance(data, dict):
        raise DataError(f"{file}: expected the keys train, val and names of a YOLO data set.")
    return data


# ---------------------------------------------------------------- what the formats share


class _Headers:
    """The sizes of pictures, and why some were left out. Parameters  broken : "stop" or "skip" """

    def __init__(self, broken: str) -> None:
        OneOf("stop", "skip").check("", "broken", broken)
        self.broken, self.unreadable = broken, list[str]()

    def size(self, picture: Path | None, named: str, folder: Path) -> tuple[int, int] | None:
        """(height, width) of a picture, None for one that is left out.

        Parameters  named : which one it is, in words, where it was not found ; folder : where it was looked for
        Raises      ImageError for a picture that is missing or damaged, unless such are left out
        """
        try:
            if picture is None:
                raise ImageError(f"{named} that it names is neither beside it nor in {folder}.")
            size = read_header(picture)[:2]
            if self.broken == "skip":
                read_picture(picture)  # what is cut short has a header, too
        except ImageError as error:
            if self.broken == "stop":
                raise
            self.unreadable.append(str(error))
            return None
        return size


class _Pictures:
    """Pictures below a folder by their names; each folder is looked through once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._by_name: dict[str, list[Path]] | None = None

    def find(self, name: str, *, near: Path) -> Path | None:
        """The picture of this name: where it says, beside the annotation, or anywhere below the folder."""
        if not name:
            return None
        for base in (near.parent, self.folder, self.folder / "images", self.folder / "JPEGImages"):
            if (base / name).is_file() and self._inside(base / name):
                return base / name
        found = self._all().get(Path(name).name.lower(), [])
        return found[0] if found else None

    def beside(self, file: Path) -> Path | None:
        """The picture with the stem of an annotation."""
        for suffix in SUFFIXES:
            found = self.find(file.stem + suffix, near=file)
            if found is not None:
                return found
        return None

    def _inside(self, path: Path) -> bool:
        # A file of annotations from elsewhere must not make us read any file of this machine.
        return path.resolve().is_relative_to(self.folder.resolve()) or path.is_symlink() or self.folder.is_symlink()

    def _all(self) -> dict[str, list[Path]]:
        if self._by_name is None:
            self._by_name = {}
            for path in sorted(self.folder.rglob("*")):
                if path.suffix.lower() in SUFFIXES and not path.name.startswith("."):
                    self._by_name.setdefault(path.name.lower(), []).append(path)
        return self._by_name


def _part_of(file: Path, folder: Path) -> str:
    """The part that the folders, or the name of a file such as instances_val.json, say."""
    try:
        inside = file.relative_to(folder)
    except ValueError:
        return ""
    for name in inside.parts[:-1]:
        if name.lower() in PARTS:
            return PARTS[name.lower()]
    if file.suffix.lower() == ".json":
        words = file.stem.lower().replace("-", "_").replace(".", "_").split("_")
        for word in words:
            bare = word.rstrip("0123456789")
            if bare in PARTS:
                return PARTS[bare]
    return ""


def _number(value: Any, file: Path, where: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        _no_number(value, file, where)


def _no_number(value: Any, file: Path, where: str) -> NoReturn:
    raise DataError(f"{file}, {where}: expected a number, got {value!r:.60}.") from None
