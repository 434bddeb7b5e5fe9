"""Text encodings of CSV files, under the names of the WHATWG Encoding Standard."""

import codecs
import re

from task_service.imports.domain.errors import ByteOrderMarkMismatch, UnknownEncoding

# Python's text codecs in which the bytes 0x0A and 0x0D are always line ends, ASCII text is unchanged, and no other byte
# is a quote or a delimiter. In UTF-16 this holds for the code unit. A test computes the list. It leaves out encodings
# with shift states (ISO-2022, HZ, UTF-7), EBCDIC, two right-to-left ones of old Macs, and codecs for other purposes.
_CODECS = frozenset(
    {
        *("utf-8", "utf-16-le", "utf-16-be", "ascii", "tis-620", "hp-roman8", "palmos", "ptcp154", "kz1048"),
        *("koi8-r", "koi8-t", "koi8-u", "cp437", "cp720", "cp737", "cp775", "cp850", "cp852", "cp855", "cp856"),
        *("cp857", "cp858", "cp860", "cp861", "cp862", "cp863", "cp864", "cp865", "cp866", "cp869", "cp874"),
        *("cp932", "cp949", "cp950", "cp1006", "cp1125", *(f"cp{number}" for number in range(1250, 1259))),
        *(f"iso8859-{part}" for part in (*range(1, 12), 13, 14, 15, 16)),
        *("mac-croatian", "mac-cyrillic", "mac-greek", "mac-iceland", "mac-latin2", "mac-roman", "mac-romanian"),
        *("mac-turkish", "shift_jis", "shift_jis_2004", "shift_jisx0213", "euc_jp", "euc_jis_2004", "euc_jisx0213"),
        *("euc_kr", "johab", "big5", "big5hkscs", "gb2312", "gbk", "gb18030"),
    }
)

# Labels of the WHATWG Encoding Standard (section 4.2) that Python does not know, and codecs that the standard replaces
# by a superset: files that claim to be iso-8859-1 are windows-1252.
_LABELS = {
    "dos-874": "cp874",
    "cn-big5": "big5hkscs",
    "cseucpkdfmtjapanese": "euc_jp",
    "csiso88596e": "iso8859-6",
    "csiso88596i": "iso8859-6",
    "csiso88598e": "iso8859-8",
    "csiso88598i": "iso8859-8",
    "cseuckr": "cp949",
    "csgb2312": "gb18030",
    "csisolatin9": "iso8859-15",
    "csksc56011987": "cp949",
    "csmacintosh": "mac-roman",
    "csunicode": "utf-16-le",
    "gb_2312": "gb18030",
    "gb_2312-80": "gb18030",
    "iso-10646-ucs-2": "utf-16-le",
    "iso-8859-6-e": "iso8859-6",
    "iso-8859-6-i": "iso8859-6",
    "iso-8859-8-e": "iso8859-8",
    "iso-8859-8-i": "iso8859-8",
    "iso-ir-149": "cp949",
    "koi": "koi8-r",
    "koi8": "koi8-r",
    "koi8-ru": "koi8-u",
    "ks_c_5601-1989": "cp949",
    "ksc_5601": "cp949",
    "logical": "iso8859-8",
    "mac": "mac-roman",
    "sun_eu_greek": "iso8859-7",
    "ucs-2": "utf-16-le",
    "unicode": "utf-16-le",
    "unicode-1-1-utf-8": "utf-8",
    "unicode11utf8": "utf-8",
    "unicode20utf8": "utf-8",
    "unicodefeff": "utf-16-le",
    "unicodefffe": "utf-16-be",
    "visual": "iso8859-8",
    "windows-31j": "cp932",
    "windows-874": "cp874",
    "windows-949": "cp949",
    "x-euc-jp": "euc_jp",
    "x-gbk": "gb18030",
    "x-mac-cyrillic": "mac-cyrillic",
    "x-mac-roman": "mac-roman",
    "x-mac-ukrainian": "mac-cyrillic",
    "x-sjis": "cp932",
    "x-unicode20utf8": "utf-8",
    "x-x-big5": "big5hkscs",
} | {f"x-cp{number}": f"cp{number}" for number in range(1250, 1259)}
_SUPERSETS = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "utf-8-sig": "utf-8",
}
_MIN_GUESSED_CHARACTERS = 4
_ANY_UTF_16 = "utf-16"
_ISO_8859 = re.compile(r"^iso8859(\d+)$")  # "iso88591" in the standard, unknown to Python

_BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


def parse_encoding(name: str) -> str:
    """Return Python's name of the encoding. Raises UnknownEncoding."""
    label = name.strip().lower()
    if not label:
        return ""
    if label in _LABELS:
        return _LABELS[label]
    try:
        codec = codecs.lookup(_ISO_8859.sub(r"iso8859-\1", label)).name
    except (LookupError, ValueError):
        raise UnknownEncoding from None
    codec = _SUPERSETS.get(codec, codec)
    if codec not in _CODECS and codec != _ANY_UTF_16:
        raise UnknownEncoding
    return codec


def detect_encoding(data: bytes, option: str) -> tuple[int, str]:
    """Return the length of the byte order mark and the encoding.

    The encoding is that of the option, else that of the mark, else UTF-8.

    Raises ByteOrderMarkMismatch when option and mark differ: either choice would garble some files.
    """
    for mark, mark_encoding in _BYTE_ORDER_MARKS.items():
        if data.startswith(mark):
            if option and not mark_encoding.startswith(option):
                raise ByteOrderMarkMismatch(mark=mark_encoding, option=option)
            return len(mark), mark_encoding
    return 0, {"": "utf-8", _ANY_UTF_16: "utf-16-le"}.get(option, option)


def guess_unmarked_utf_16(data: bytes) -> str:
    """Return the UTF-16 encoding of a file that begins with Western text and has no byte order mark, else ""."""
    first_bytes, second_bytes = data[:64:2], data[1:64:2]
    for encoding, zeros, others in (
        ("utf-16-le", second_bytes, first_bytes),
        ("utf-16-be", first_bytes, second_bytes),
    ):
        if len(others) >= _MIN_GUESSED_CHARACTERS and 0 not in others and zeros.count(0) * 4 > len(zeros) * 3:
            return encoding
    return ""
