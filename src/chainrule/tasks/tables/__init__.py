"""Tables: a column is predicted from the others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..task import Prepared, Task
from .settings import TableSettings

__all__ = ["TASK", "TableSettings", "Tables"]


class Tables(Task):
    """Learning a column of a table from its other columns."""

    name = "tables"
    what = "a table"
    noun = ("row", "rows")
    file_key = "table"
    how = "A table is a .csv, .tsv, .txt or .parquet file, or many of them: 'data/*.parquet'."
    example = "NEW.csv -o out.csv"
    settings = TableSettings

    def recognises(self, data: Path, given: Mapping[str, Any]) -> int:
        if data.is_dir():
            from ...data.table_files import table_paths

            return 4 * (table_paths(data) is not None)  # a folder of tables, not one of pictures
        return 1  # whatever no other task knows better

    def read(self, settings: TableSettings) -> Any:
        from . import streaming
        from .training import read

        files = streaming.files_of(settings.data, settings)
        return read(settings) if files is None else streaming.read(settings, files)

    def prepare(self, data: Any, settings: TableSettings) -> Prepared:
        from . import streaming
        from .training import prepare

        return streaming.prepare(data, settings) if isinstance(data, streaming.StreamedParts) else prepare(data, settings)

    def resume(self, model: Any, settings: TableSettings) -> Prepared:
        from .training import resume

        return resume(model, settings)

    def model(self) -> type[Any]:
        from .table_model import TableModel

        return TableModel


TASK = Tables()
