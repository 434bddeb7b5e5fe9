"""Detection of files that are uploaded by mistake: other formats than CSV, by their first bytes."""

import re

from task_service.imports.domain.errors import CompressedFile, UnsupportedFormat

_SAVE_AS_CSV = "Open it in a spreadsheet program and save it as CSV (in Excel: Save as, CSV UTF-8)"
_EXPORT_AS_CSV = "Choose CSV in the program that exported it"
_UNPACK = "Unpack it and upload the CSV file in it"

_GZIP = b"\x1f\x8b"
_ZIP = b"PK\x03\x04"
_ZIP_HEADER_BYTES = 30
_ZIP_CONTENT_BYTES = 64
"""Bytes of the first member that identify its type."""

# First member of an archive, or its content. A workbook of Excel may begin with any of several members.
_ZIP_FORMATS = {
    rb"mimetypeapplication/vnd\.oasis\.opendocument\.spreadsheet": ("an OpenDocument spreadsheet (ODS)", _SAVE_AS_CSV),
    rb"mimetype": ("an OpenDocument file", _EXPORT_AS_CSV),
    rb"\[Content_Types\]\.xml|_rels/|docProps/|xl/": ("an Excel workbook (XLSX)", _SAVE_AS_CSV),
}

_BINARY_FORMATS = {
    b"\xd0\xcf\x11\xe0": ("an Excel workbook (XLS)", _SAVE_AS_CSV),
    b"%PDF": ("a PDF document", _EXPORT_AS_CSV),
    b"\x89PNG": ("a picture (PNG)", _EXPORT_AS_CSV),
    b"\xff\xd8\xff": ("a picture (JPEG)", _EXPORT_AS_CSV),
    b"GIF8": ("a picture (GIF)", _EXPORT_AS_CSV),
    b"BZh91AY&SY": ("an archive (bzip2)", _UNPACK),
    b"\xfd7zXZ\0": ("an archive (XZ)", _UNPACK),
    b"7z\xbc\xaf\x27\x1c": ("an archive (7-Zip)", _UNPACK),
    b"Rar!\x1a\x07": ("an archive (RAR)", _UNPACK),
    b"\x28\xb5\x2f\xfd": ("an archive (Zstandard)", _UNPACK),
    b"SQLite format 3\0": ("an SQLite database", _EXPORT_AS_CSV),
}

_TEXT_FORMATS = {
    r"(?i)<(!doctype\s+html|html|head|body|meta|table|script|div)\b": (
        "a web page (HTML)",
        "Perhaps it is a login or error page. Download the CSV file again, or choose CSV in the program",
    ),
    r"(?i)<(\?xml\b|!--)": ("XML", _EXPORT_AS_CSV),
    r'\{\s*("[^"]*"\s*:|\}\s*[\r\n])': ("JSON", _EXPORT_AS_CSV),
    r'\[\s*(\{\s*"|"[^"]*"\s*,\s*"|\]\s*[\r\n])': ("JSON", _EXPORT_AS_CSV),
    r"[\[{]\s*[\r\n]": ("JSON", _EXPORT_AS_CSV),
    r"(?i)BEGIN:VCALENDAR\b": ("a calendar (ICS)", _EXPORT_AS_CSV),
    r"(?i)BEGIN:VCARD\b": ("a list of contacts (vCard)", _EXPORT_AS_CSV),
    r"\{\\rtf": ("a text document (RTF)", _EXPORT_AS_CSV),
}


def reject_other_formats(data: bytes, *, is_complete: bool) -> bool:
    """Raise CompressedFile or UnsupportedFormat if these first bytes of a file belong to another format.

    Return False if more bytes are needed to name the format.
    """
    if data.startswith(_GZIP):
        raise CompressedFile
    if data.startswith(_ZIP):
        if not is_complete and len(data) < _zip_member_bytes(data):
            return False
        _reject_zip(data)
    for signature, (name, advice) in _BINARY_FORMATS.items():
        if data.startswith(signature):
            raise UnsupportedFormat(kind=name, advice=advice)
    return True


def reject_other_text_formats(text: str) -> None:
    """Raise UnsupportedFormat if this beginning of a file, decoded, belongs to another text format."""
    text = text.lstrip()
    for pattern, (name, advice) in _TEXT_FORMATS.items():
        if re.match(pattern, text):
            raise UnsupportedFormat(kind=name, advice=advice)


def _zip_member_bytes(data: bytes) -> int:
    """Return the number of bytes up to the content of the first member that identifies the archive."""
    return _ZIP_HEADER_BYTES + int.from_bytes(data[26:28], "little") + _ZIP_CONTENT_BYTES


def _reject_zip(data: bytes) -> None:
    """Raise UnsupportedFormat with the kind of the archive."""
    member = data[_ZIP_HEADER_BYTES:]
    for pattern, (name, advice) in _ZIP_FORMATS.items():
        if re.match(pattern, member):
            raise UnsupportedFormat(kind=name, advice=advice)
    raise UnsupportedFormat(kind="an archive (ZIP)", advice=_UNPACK)
