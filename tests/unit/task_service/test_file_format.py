"""Files of other formats are refused by name, whichever pieces they arrive in."""

import io
import json
import zipfile

import pytest

from task_service.imports.domain.errors import UnsupportedFormat
from task_service.imports.domain.header.header import HeaderLimits, HeaderScanner
from task_service.imports.domain.options.upload_options import UploadOptions

ODS = "application/vnd.oasis.opendocument.spreadsheet"


def scan(data: bytes, *, piece: int, encoding: str = ""):
    scanner = HeaderScanner(UploadOptions(encoding=encoding), HeaderLimits())
    for begin in range(0, len(data), piece):
        scanner.feed(data[begin : begin + piece])
    return scanner.end()


def archive(**members: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize("piece", [1, 3, 4096])
@pytest.mark.parametrize(
    ("data", "kind", "advice"),
    [
        (
            archive(**{"[Content_Types].xml": "<Types/>", "xl/workbook.xml": ""}),
            "an Excel workbook (XLSX)",
            "save it as",
        ),
        (archive(**{"_rels/.rels": "<r/>"}), "an Excel workbook (XLSX)", "save it as CSV"),
        (archive(mimetype=ODS, content="<office/>"), "an OpenDocument spreadsheet (ODS)", "save it as CSV"),
        (archive(mimetype="application/epub+zip"), "an OpenDocument file", "Choose CSV"),
        (archive(**{"tasks.csv": "title\nx\n"}), "an archive (ZIP)", "Unpack it"),
        (b"PK\x03\x04", "an archive (ZIP)", "Unpack it"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 100, "an Excel workbook (XLS)", "save it as CSV"),
        (b"%PDF-1.7\n%\xe2\xe3\n", "a PDF document", "Choose CSV"),
        (b"<!DOCTYPE html>\n<html><title>Log in</title>", "a web page (HTML)", "login"),
        (b"  <html lang='en'>,title\n", "a web page (HTML)", "login"),
        ("<!doctype HTML>\n".encode("utf-16"), "a web page (HTML)", "login"),
        (b"\xef\xbb\xbf<table border=1><tr><td>title</td></tr></table>\n", "a web page (HTML)", "login"),
        (b"<?xml version='1.0'?>\n<Workbook/>\n", "XML", "Choose CSV"),
        (b'{"title": "x", "status": "pending"}\n', "JSON", "Choose CSV"),
        (json.dumps([{"title": "x"}]).encode(), "JSON", "Choose CSV"),
        (json.dumps({"tasks": [{"title": "x"}]}, indent=2).encode(), "JSON", "Choose CSV"),
        (json.dumps([{"title": "x"}], indent=1).encode(), "JSON", "Choose CSV"),
        (b"[]", "JSON", "Choose CSV"),
        (b"{}", "JSON", "Choose CSV"),
        (b'["title", "status"]\n', "JSON", "Choose CSV"),
        (b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n", "a calendar (ICS)", "Choose CSV"),
        (b"BEGIN:VCARD\r\n", "a list of contacts (vCard)", "Choose CSV"),
    ],
)
def test_other_format_is_named(data, kind, advice, piece):
    with pytest.raises(UnsupportedFormat) as caught:
        scan(data, piece=piece)
    assert caught.value.message.startswith(f"The file looks like {kind}, not CSV. ")
    assert advice in caught.value.message


@pytest.mark.parametrize("piece", [1, 4096])
@pytest.mark.parametrize(
    "line",
    [
        "[ ] title,title",
        "{title},title",
        "[id],title",
        "<b>,title",
        "< html,title",
        "BEGIN,title",
        "PK,title",
        "%,title",
    ],
)
def test_header_that_resembles_another_format_is_read(line, piece):
    assert scan(f"{line}\n".encode(), piece=piece).fields[-1] == "title"
