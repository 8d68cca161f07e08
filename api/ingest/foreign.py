"""Files of another kind: recognised by their first bytes, answered with how to export instead."""

import re
from typing import IO
from zipfile import BadZipFile, LargeZipFile, ZipFile

from api.ingest.refusal import FileRefusedError, unreadable

ZIP_MAGIC = b"PK\x03\x04"
WORKBOOK_PART = "workbook.xml"
MAX_LOOKED_AT_NAMES = 2_000

AS_CSV = (
    "In the program that made it, choose “Save as” and the type “CSV UTF-8”, or “Excel workbook (.xlsx)”."
)

KNOWN = (
    (
        ZIP_MAGIC,
        "zip",
        "The file is an archive or a workbook within gzip. Unpack it and upload what is inside.",
    ),
    (
        b"\xd0\xcf\x11\xe0",
        "xls",
        f"The file is an old Excel workbook (.xls), or locked with a password. {AS_CSV}",
    ),
    (
        b"%PDF",
        "pdf",
        "The file is a PDF, which holds no rows. Export the data as CSV or .xlsx where it comes from.",
    ),
    (b"\x89PNG", "picture", "The file is a picture. Export the data as CSV or .xlsx where it comes from."),
    (
        b"\xff\xd8\xff",
        "picture",
        "The file is a picture. Export the data as CSV or .xlsx where it comes from.",
    ),
    (b"GIF8", "picture", "The file is a picture. Export the data as CSV or .xlsx where it comes from."),
    (b"Rar!\x1a\x07", "archive", "The file is an archive. Unpack it and upload the file inside."),
    (b"7z\xbc\xaf\x27\x1c", "archive", "The file is an archive. Unpack it and upload the file inside."),
    (b"BZh", "archive", "The file is compressed with bzip2. Unpack it, or compress it with gzip."),
    (b"\xfd7zXZ\x00", "archive", "The file is compressed with xz. Unpack it, or compress it with gzip."),
    (
        b"\x28\xb5\x2f\xfd",
        "archive",
        "The file is compressed with zstd. Unpack it, or compress it with gzip.",
    ),
    (b"SQLite format 3\x00", "sqlite", "The file is an SQLite database. Export its table as CSV."),
    (b"PAR1", "parquet", "The file is Parquet. Export the data as CSV or NDJSON."),
    (
        b"{\\rtf",
        "rtf",
        "The file is a text document (RTF). Export the data as CSV or .xlsx where it comes from.",
    ),
)
HTML = re.compile(
    rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|meta|body|style|table|div)\b",
    re.I | re.S,
)
SPREADSHEET_XML = re.compile(rb"<(?:\w+:)?Workbook\b|urn:schemas-microsoft-com:office:spreadsheet", re.I)
OTHER_XML = re.compile(rb"\s*<\?xml\b", re.I)


def refuse_foreign_format(start: bytes) -> None:
    """`start` is the beginning of the decompressed content. Raises FileRefusedError unreadable_file."""
    for magic, found, message in KNOWN:
        if start.startswith(magic):
            raise unreadable(message, found=found)
    beginning = start[:4096].removeprefix(b"\xef\xbb\xbf")
    if beginning.startswith((b"\xff\xfe", b"\xfe\xff")):
        beginning = beginning.replace(b"\x00", b"")[2:]
    if HTML.match(beginning):
        raise unreadable(
            "The file is a web page (HTML), which many programs save under the name .xls. Open it in a "
            f"spreadsheet program first. {AS_CSV}",
            found="html",
        )
    if OTHER_XML.match(beginning):
        kind = "spreadsheet" if SPREADSHEET_XML.search(beginning) else "document"
        raise unreadable(
            f"The file is an XML {kind}. Open it in a spreadsheet program. {AS_CSV}", found="xml"
        )


def is_workbook(file: IO[bytes]) -> bool:
    """Whether a file is an .xlsx. Raises FileRefusedError unreadable_file for every other archive."""
    file.seek(0)
    if file.read(4) != ZIP_MAGIC:
        return False
    try:
        with ZipFile(file) as archive:
            names = set(archive.namelist()[:MAX_LOOKED_AT_NAMES])
            if any(name.endswith(WORKBOOK_PART) for name in names):
                return True
            raise _other_archive(archive, names)
    except (
        BadZipFile,
        LargeZipFile,
        NotImplementedError,
        RuntimeError,
        OSError,
        ValueError,
        EOFError,
    ) as error:
        raise unreadable(
            "The file is a ZIP archive or an Excel workbook that is broken or incomplete."
        ) from error


def _other_archive(archive: ZipFile, names: set[str]) -> FileRefusedError:
    if "xl/workbook.bin" in names:
        return unreadable(f"The file is a binary Excel workbook (.xlsb). {AS_CSV}", found="xlsb")
    if "mimetype" in names and archive.getinfo("mimetype").file_size < 200:
        if b"opendocument.spreadsheet" in archive.read("mimetype"):
            return unreadable(f"The file is an OpenDocument spreadsheet (.ods). {AS_CSV}", found="ods")
        return unreadable(
            "The file is an OpenDocument text or drawing. Export its table as CSV.", found="odf"
        )
    if "Index/Document.iwa" in names or any(name.endswith(".iwa") for name in names):
        return unreadable(
            "The file is an Apple Numbers document. In Numbers, choose “Export to” and CSV.", found="numbers"
        )
    if "word/document.xml" in names:
        return unreadable(
            "The file is a Word document. Put its table into a spreadsheet. " + AS_CSV, found="docx"
        )
    listed = ", ".join(sorted(names)[:5])
    return unreadable(
        f"The file is a ZIP archive ({listed}). Unpack it and upload the file inside; gzip is fine.",
        found="zip",
    )
