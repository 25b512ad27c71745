"""``chainrule.load``: whatever a model file holds, with its preprocessing."""

from __future__ import annotations

import os
from typing import Any

from ..errors import ModelFileError

__all__ = ["load"]

Path = str | os.PathLike[str]


def load(path: Path) -> Any:
    """The object that a model file holds, ready to be used.

    ================================  =============================================================================
    the file was written by           and gives
    ================================  =============================================================================
    ``chainrule train`` on a table    a TableModel: ``predict`` takes a DataFrame, a file, a dict of columns or a list of
                                      dicts, as they are, since the model holds the preprocessing
    ``chainrule train`` on pictures   a PictureModel: ``predict`` takes picture files, folders or arrays
    the same with boxes              a Detector: ``predict`` gives the boxes in picture files, folders or arrays
    ``chainrule train`` on lines      a LineModel: ``predict`` gives the texts of pictures of lines
    ``chainrule train`` on pages      a PageModel: ``predict`` gives the lines of pages, with a reader their texts, too
    ``chainrule train`` on clips      a ClipModel: ``predict`` takes videos, folders of frames or arrays
    ``chainrule train`` on texts      a TextModel: ``predict`` takes texts
    ``TextGenerator``, ``Translator`` that object
    ``NeuralClassifier.save``, ...    that estimator
    ``Network.save``                  a Network
    ================================  =============================================================================

    Each has ``predict`` (the two of sequences ``generate`` and ``translate``), ``evaluate`` or ``score``, ``save``, and its
    network as ``network``. No code from the file is run.

    Raises      ModelFileError when the file is missing, damaged, foreign or of a newer version

    Example
        >>> import tempfile
        >>> from chainrule import Dense, Network
        >>> network = Network([Dense(2)], random_state=0)
        >>> network.build(3)
        >>> place = tempfile.mkdtemp() + "/n.chainrule"
        >>> network.save(place)
        >>> load(place).output_shapes
        [(2,)]
    """
    from ..model import load as load_network
    from ..network.files import written_by
    from .task import all_tasks

    extra = written_by(path)
    for task in all_tasks():
        if task.file_key in extra:
            return task.model().load(path)
    state = extra.get("estimator")
    if isinstance(state, dict):
        from .. import estimators

        kind = getattr(estimators, str(state.get("class")), None)
        if kind is None or not hasattr(kind, "load"):
            raise ModelFileError(
                f"The model file {os.fspath(path)!r} holds the estimator {state.get('class')!r:.60}, which is not known."
            )
        return kind.load(path)
    return load_network(path)
