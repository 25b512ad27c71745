"""Reading, checking, encoding and batching data. Only NumPy is needed; the rest is imported when used."""

from .arrays import as_features, as_targets, check_features, check_lengths, feature_names
from .batches import ArrayData, Batch, Batches, IteratorData, shuffled_order, split_validation
from .datasets import load_digits
from .decoding import beam_search_decode, best_path_decode
from .labels import ClassLabels, TargetKind, target_kind
from .preprocessing import TableFeatures, TablePreprocessor
from .ragged_data import RaggedData
from .sequences import Sequences, length_buckets
from .series import TimeSeries, as_series, read_series, windows
from .stored_rows import RowStore, StoredRows
from .table import Column, Table, read_table, write_predictions
from .table_files import TableFiles
from .table_format import ColumnFormat, TableFormat
from .table_statistics import TableStatistics
from .unknown import UnknownValues, UnknownValuesWarning

__all__ = [
    "ArrayData",
    "Batch",
    "Batches",
    "ClassLabels",
    "Column",
    "ColumnFormat",
    "IteratorData",
    "RaggedData",
    "RowStore",
    "Sequences",
    "StoredRows",
    "Table",
    "TableFeatures",
    "TableFiles",
    "TableFormat",
    "TablePreprocessor",
    "TableStatistics",
    "TargetKind",
    "TimeSeries",
    "UnknownValues",
    "UnknownValuesWarning",
    "as_features",
    "as_series",
    "as_targets",
    "beam_search_decode",
    "best_path_decode",
    "check_features",
    "check_lengths",
    "feature_names",
    "length_buckets",
    "load_digits",
    "read_series",
    "read_table",
    "shuffled_order",
    "split_validation",
    "target_kind",
    "windows",
    "write_predictions",
]
