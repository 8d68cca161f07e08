"""What the form of an upload says about its file."""

from pathlib import PurePath

from starlette.datastructures import UploadFile

from api.errors import ApiError, ErrorCode
from api.ingest.job import FileFormat, ReadJob, ReadLimits, ReadOptions
from api.models.submissions import UploadSubmission

MAX_NAME_CHARACTERS = 200
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

FORMAT_BY_SUFFIX = {
    ".csv": FileFormat.CSV,
    ".tsv": FileFormat.CSV,
    ".tab": FileFormat.CSV,
    ".psv": FileFormat.CSV,
    ".txt": FileFormat.CSV,
    ".ndjson": FileFormat.NDJSON,
    ".jsonl": FileFormat.NDJSON,
    ".xlsx": FileFormat.XLSX,
    ".xlsm": FileFormat.XLSX,
    # What these are is told from their first bytes: many programs save text under the name .xls. The rest
    # is refused with how to export it.
    ".xls": FileFormat.CSV,
    ".xlsb": FileFormat.CSV,
    ".ods": FileFormat.CSV,
    ".numbers": FileFormat.CSV,
    ".zip": FileFormat.CSV,
    ".pdf": FileFormat.CSV,
    ".htm": FileFormat.CSV,
    ".html": FileFormat.CSV,
}
FORMAT_BY_CONTENT_TYPE = {
    "text/csv": FileFormat.CSV,
    "text/tab-separated-values": FileFormat.CSV,
    "application/vnd.ms-excel": FileFormat.CSV,  # what browsers on Windows call a .csv
    "application/x-ndjson": FileFormat.NDJSON,
    "application/ndjson": FileFormat.NDJSON,
    "application/jsonl": FileFormat.NDJSON,
    "application/x-jsonlines": FileFormat.NDJSON,
    XLSX_TYPE: FileFormat.XLSX,
}


def upload_format(form: UploadSubmission, file: UploadFile) -> FileFormat:
    """What the caller says, else the file's name (`.gz` ignored), else its content type. A workbook is one
    by its content.
    """
    if form.format:
        return form.format
    name = (file.filename or "").lower().removesuffix(".gz")
    content_type = (file.content_type or "").partition(";")[0].strip().lower()
    found = FORMAT_BY_SUFFIX.get(PurePath(name).suffix) or FORMAT_BY_CONTENT_TYPE.get(content_type)
    if found is None:
        raise ApiError(
            ErrorCode.UNSUPPORTED_MEDIA_TYPE,
            "Neither the file's name nor its type says what it is. Send `format`: csv, ndjson or xlsx.",
            details={"content_type": content_type[:100]},
        )
    return found


def read_job(form: UploadSubmission, file_format: FileFormat, limits: ReadLimits) -> ReadJob:
    options = ReadOptions(
        format=file_format,
        encoding=form.encoding,
        delimiter=form.delimiter,
        skip_lines=form.skip_lines,
        header=form.header,
        on_ragged_row=form.on_ragged_row,
        sheet=form.sheet,
    )
    return ReadJob(options, limits)


def default_name(filename: str | None) -> str | None:
    """A submission's name when the caller gives none: that of the file, without the folders some programs
    send.
    """
    name = (filename or "").replace("\\", "/").rpartition("/")[2]
    return "".join(filter(str.isprintable, name)).strip()[:MAX_NAME_CHARACTERS].strip() or None
