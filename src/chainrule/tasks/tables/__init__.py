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
    how = "A table is a .csv, .tsv, .txt or .parquet file."
    example = "NEW.csv -o out.csv"
    settings = TableSettings

    def recognises(self, data: Path, given: Mapping[str, Any]) -> int:
        return 1  # whatever no other task knows better

    def read(self, settings: TableSettings) -> Any:
        from .training import read

        return read(settings)

    def prepare(self, data: Any, settings: TableSettings) -> Prepared:
        from .training import prepare

        return prepare(data, settings)

    def resume(self, model: Any, settings: TableSettings) -> Prepared:
        from .training import resume

        return resume(model, settings)

    def model(self) -> type[Any]:
        from .table_model import TableModel

        return TableModel


TASK = Tables()
