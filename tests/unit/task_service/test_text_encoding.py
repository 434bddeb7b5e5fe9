"""Encodings of CSV files: the labels of the WHATWG standard, and the safety of every codec."""

import codecs
import encodings
import pkgutil
import string

import pytest

from task_service.imports.domain.errors import UnknownEncoding
from task_service.imports.domain.header.text_encoding import guess_unmarked_utf_16, parse_encoding

# The table of the Encoding Standard, section 4.2: Python's codec and labels. It leaves out
# "utf-16", which here also reads the byte order mark, and encodings that have shift states or decode nothing.
LABELS = """
utf-8: unicode-1-1-utf-8 unicode11utf8 unicode20utf8 utf-8 utf8 x-unicode20utf8
cp866: 866 cp866 csibm866 ibm866
iso8859-2: csisolatin2 iso-8859-2 iso-ir-101 iso8859-2 iso88592 iso_8859-2 iso_8859-2:1987 l2 latin2
iso8859-3: csisolatin3 iso-8859-3 iso-ir-109 iso8859-3 iso88593 iso_8859-3 iso_8859-3:1988 l3 latin3
iso8859-4: csisolatin4 iso-8859-4 iso-ir-110 iso8859-4 iso88594 iso_8859-4 iso_8859-4:1988 l4 latin4
iso8859-5: csisolatincyrillic cyrillic iso-8859-5 iso-ir-144 iso8859-5 iso88595 iso_8859-5 iso_8859-5:1988
iso8859-6: arabic asmo-708 csiso88596e csiso88596i csisolatinarabic ecma-114 iso-8859-6 iso-8859-6-e iso-8859-6-i
iso8859-6: iso-ir-127 iso8859-6 iso88596 iso_8859-6 iso_8859-6:1987
iso8859-7: csisolatingreek ecma-118 elot_928 greek greek8 iso-8859-7 iso-ir-126 iso8859-7 iso88597 iso_8859-7
iso8859-7: iso_8859-7:1987 sun_eu_greek
iso8859-8: csiso88598e csisolatinhebrew hebrew iso-8859-8 iso-8859-8-e iso-ir-138 iso8859-8 iso88598 iso_8859-8
iso8859-8: iso_8859-8:1988 visual csiso88598i iso-8859-8-i logical
iso8859-10: csisolatin6 iso-8859-10 iso-ir-157 iso8859-10 iso885910 l6 latin6
iso8859-13: iso-8859-13 iso8859-13 iso885913
iso8859-14: iso-8859-14 iso8859-14 iso885914
iso8859-15: csisolatin9 iso-8859-15 iso8859-15 iso885915 iso_8859-15 l9
iso8859-16: iso-8859-16
koi8-r: cskoi8r koi koi8 koi8-r koi8_r
koi8-u: koi8-ru koi8-u
mac-roman: csmacintosh mac macintosh x-mac-roman
cp874: dos-874 iso-8859-11 iso8859-11 iso885911 tis-620 windows-874
cp1250: cp1250 windows-1250 x-cp1250
cp1251: cp1251 windows-1251 x-cp1251
cp1252: ansi_x3.4-1968 ascii cp1252 cp819 csisolatin1 ibm819 iso-8859-1 iso-ir-100 iso8859-1 iso88591 iso_8859-1
cp1252: iso_8859-1:1987 l1 latin1 us-ascii windows-1252 x-cp1252
cp1253: cp1253 windows-1253 x-cp1253
cp1254: cp1254 csisolatin5 iso-8859-9 iso-ir-148 iso8859-9 iso88599 iso_8859-9 iso_8859-9:1989 l5 latin5 windows-1254
cp1254: x-cp1254
cp1255: cp1255 windows-1255 x-cp1255
cp1256: cp1256 windows-1256 x-cp1256
cp1257: cp1257 windows-1257 x-cp1257
cp1258: cp1258 windows-1258 x-cp1258
mac-cyrillic: x-mac-cyrillic x-mac-ukrainian
gb18030: chinese csgb2312 csiso58gb231280 gb2312 gb_2312 gb_2312-80 gbk iso-ir-58 x-gbk gb18030
big5hkscs: big5 big5-hkscs cn-big5 csbig5 x-x-big5
euc_jp: cseucpkdfmtjapanese euc-jp x-euc-jp
cp932: csshiftjis ms932 ms_kanji shift-jis shift_jis sjis windows-31j x-sjis
cp949: cseuckr csksc56011987 euc-kr iso-ir-149 korean ks_c_5601-1987 ks_c_5601-1989 ksc5601 ksc_5601 windows-949
utf-16-be: unicodefffe utf-16be
utf-16-le: csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff utf-16le
"""
LETTERS = string.ascii_letters + string.digits
STRUCTURE = '\t\n\r ",;|'


@pytest.mark.parametrize("line", LABELS.strip().splitlines())
def test_labels_follow_the_encoding_standard(line):
    codec, labels = line.split(": ")
    assert {label: parse_encoding(label) for label in labels.split()} == dict.fromkeys(labels.split(), codec)
    assert parse_encoding(f" {labels.split()[0].upper()} ") == codec


def is_safe(codec: str) -> bool:
    """Check that structural characters are single bytes, and that no other byte and no state changes them."""
    try:
        if any(character.encode(codec) != character.encode() for character in STRUCTURE + LETTERS):
            return False
    except ValueError:
        return False
    high = {bytes([byte]).decode(codec, "replace") for byte in range(128, 256)}
    if high & set(STRUCTURE):
        return False
    before = [bytes([byte]) for byte in range(256)] + [bytes([0x81, 0x30, byte]) for byte in range(256)]
    before += [b"\x1b$B\x30", b"\x1b$)C\x0e\x30", b"~{\x30", b"~", b"+AAo-", b"+A", rb"\u000a"]
    for start in before:
        for ending in (b"\n", b"\r"):
            text = (start + ending + b"a").decode(codec, "surrogateescape")
            if not text.endswith(ending.decode() + "a") or text.count(ending.decode()) != 1 + start.count(ending):
                return False
    return True


def safe_codecs() -> set[str]:
    found = set()
    for module in pkgutil.iter_modules(encodings.__path__):
        try:
            "a".encode(module.name)  # fails for codecs that don't encode text
            codec = codecs.lookup(module.name).name
            if is_safe(codec):
                found.add(codec)
        except (LookupError, TypeError, ValueError):
            continue
    return found


def test_all_safe_codecs_of_python_are_accepted():
    safe = safe_codecs()
    assert {"cp1252", "cp720", "gb18030", "johab", "mac-greek"} <= safe
    for codec in safe - {"charmap"}:
        assert is_safe(parse_encoding(codec))
    for codec in ("iso2022_jp", "hz", "utf-7", "cp037", "mac-arabic", "rot13", "base64", "idna", "utf-32", "punycode"):
        assert codec not in safe
        with pytest.raises(UnknownEncoding):
            parse_encoding(codec)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_guessed(encoding):
    for text in ("title,status\n", "Título;Fällig\n", "“title”,a,b,c,d\n"):
        assert guess_unmarked_utf_16(text.encode(encoding)) == encoding
    for data in (b"title,status\n", b"", b"ti\0tle\0", b"\0" * 64, "題名".encode(encoding)):
        assert guess_unmarked_utf_16(data) == ""
