"""Scripts of characters, and the rule against names that mix scripts (Unicode Technical Standard 39, section 5).

A Cyrillic letter in the name admin can look like the Latin one. Such a name could pass for another account.
"""

from bisect import bisect_right

# Property Script_Extensions of Unicode 14.0.0, the version of Python 3.11's unicodedata, which lacks this property.
# It is data of Unicode, Inc., under the Unicode License v3. Each entry is the first code point of a range and its
# scripts; "-" stands for Common and Inherited. Unassigned code points belong to the range before them: no name contains
# one.
_RANGES = """
0:- 41:Latn 5B:- 61:Latn 7B:- AA:Latn AB:- BA:Latn BB:- C0:Latn D7:- D8:Latn F7:- F8:Latn 2B9:- 2E0:Latn 2E5:-
2EA:Bopo 2EC:- 342:Grek 343:- 345:Grek 346:- 363:Latn 370:Grek 374:- 375:Grek 37E:- 37F:Grek 385:- 386:Grek 387:-
388:Grek 3E2:Copt 3F0:Grek 400:Cyrl 483:Cyrl+Perm 484:Cyrl+Glag 485:Cyrl+Latn 487:Cyrl+Glag 488:Cyrl 531:Armn
591:Hebr 600:Arab 605:- 606:Arab 60C:Arab+Nkoo+Rohg+Syrc+Thaa+Yezi 60D:Arab 61B:Arab+Nkoo+Rohg+Syrc+Thaa+Yezi
61C:Arab+Syrc+Thaa 61D:Arab 61F:Adlm+Arab+Nkoo+Rohg+Syrc+Thaa+Yezi 620:Arab
640:Adlm+Arab+Mand+Mani+Ougr+Phlp+Rohg+Sogd+Syrc 641:Arab 64B:Arab+Syrc 656:Arab 660:Arab+Thaa+Yezi 66A:Arab
670:Arab+Syrc 671:Arab 6D4:Arab+Rohg 6D5:Arab 6DD:- 6DE:Arab 700:Syrc 750:Arab 780:Thaa 7C0:Nkoo 800:Samr 840:Mand
860:Syrc 870:Arab 8E2:- 8E3:Arab 900:Deva 951:Beng+Deva+Gran+Gujr+Guru+Knda+Latn+Mlym+Orya+Shrd+Taml+Telu+Tirh
952:Beng+Deva+Gran+Gujr+Guru+Knda+Latn+Mlym+Orya+Taml+Telu+Tirh 953:- 955:Deva
964:Beng+Deva+Dogr+Gong+Gonm+Gran+Gujr+Guru+Knda+Mahj+Mlym+Nand+Orya+Sind+Sinh+Sylo+Takr+Taml+Telu+Tirh
965:Beng+Deva+Dogr+Gong+Gonm+Gran+Gujr+Guru+Knda+Limb+Mahj+Mlym+Nand+Orya+Sind+Sinh+Sylo+Takr+Taml+Telu+Tirh
966:Deva+Dogr+Kthi+Mahj 970:Deva 980:Beng 9E6:Beng+Cakm+Sylo 9F0:Beng A01:Guru A66:Guru+Mult A70:Guru A81:Gujr
AE6:Gujr+Khoj AF0:Gujr B01:Orya B82:Taml BE6:Gran+Taml BF4:Taml C00:Telu C80:Knda CE6:Knda+Nand CF1:Knda D00:Mlym
D81:Sinh E01:Thai E3F:- E40:Thai E81:Laoo F00:Tibt FD5:- FD9:Tibt 1000:Mymr 1040:Cakm+Mymr+Tale 104A:Mymr 10A0:Geor
10FB:Geor+Latn 10FC:Geor 1100:Hang 1200:Ethi 13A0:Cher 1400:Cans 1680:Ogam 16A0:Runr 16EB:- 16EE:Runr 1700:Tglg
1720:Hano 1735:Buhd+Hano+Tagb+Tglg 1740:Buhd 1760:Tagb 1780:Khmr 1800:Mong 1802:Mong+Phag 1804:Mong 1805:Mong+Phag
1806:Mong 18B0:Cans 1900:Limb 1950:Tale 1980:Talu 19E0:Khmr 1A00:Bugi 1A20:Lana 1AB0:- 1B00:Bali 1B80:Sund 1BC0:Batk
1C00:Lepc 1C50:Olck 1C80:Cyrl 1C90:Geor 1CC0:Sund 1CD0:Beng+Deva+Gran+Knda 1CD1:Deva 1CD2:Beng+Deva+Gran+Knda
1CD3:Deva+Gran 1CD4:Deva 1CD5:Beng+Deva 1CD7:Deva+Shrd 1CD8:Beng+Deva 1CD9:Deva+Shrd
1CDA:Deva+Knda+Mlym+Orya+Taml+Telu 1CDB:Deva 1CDC:Deva+Shrd 1CDE:Deva 1CE0:Deva+Shrd 1CE1:Beng+Deva 1CE2:Deva
1CE9:Deva+Nand 1CEA:Beng+Deva 1CEB:Deva 1CED:Beng+Deva 1CEE:Deva 1CF2:Beng+Deva+Gran+Knda+Nand+Orya+Telu+Tirh
1CF3:Deva+Gran 1CF4:Deva+Gran+Knda 1CF5:Beng+Deva 1CF7:Beng 1CF8:Deva+Gran 1CFA:Nand 1D00:Latn 1D26:Grek 1D2B:Cyrl
1D2C:Latn 1D5D:Grek 1D62:Latn 1D66:Grek 1D6B:Latn 1D78:Cyrl 1D79:Latn 1DBF:Grek 1DC2:- 1DF8:Cyrl+Syrc 1DF9:-
1DFA:Syrc 1DFB:- 1E00:Latn 1F00:Grek 2000:- 202F:Latn+Mong 2030:- 2071:Latn 2074:- 207F:Latn 2080:- 2090:Latn 20A0:-
20F0:Deva+Gran+Latn 2100:- 2126:Grek 2127:- 212A:Latn 212C:- 2132:Latn 2133:- 214E:Latn 214F:- 2160:Latn 2189:-
2800:Brai 2900:- 2C00:Glag 2C60:Latn 2C80:Copt 2D00:Geor 2D30:Tfng 2D80:Ethi 2DE0:Cyrl 2E00:- 2E43:Cyrl+Glag 2E44:-
2E80:Hani 2FF0:- 3001:Bopo+Hang+Hani+Hira+Kana+Yiii 3003:Bopo+Hang+Hani+Hira+Kana 3004:- 3005:Hani
3008:Bopo+Hang+Hani+Hira+Kana+Yiii 3012:- 3013:Bopo+Hang+Hani+Hira+Kana 3014:Bopo+Hang+Hani+Hira+Kana+Yiii
301C:Bopo+Hang+Hani+Hira+Kana 3020:- 3021:Hani 302A:Bopo+Hani 302E:Hang 3030:Bopo+Hang+Hani+Hira+Kana 3031:Hira+Kana
3036:- 3037:Bopo+Hang+Hani+Hira+Kana 3038:Hani 303C:Hani+Hira+Kana 303E:Hani 3041:Hira 3099:Hira+Kana 309D:Hira
30A0:Hira+Kana 30A1:Kana 30FB:Bopo+Hang+Hani+Hira+Kana+Yiii 30FC:Hira+Kana 30FD:Kana 3105:Bopo 3131:Hang 3190:Hani
31A0:Bopo 31C0:Hani 31F0:Kana 3200:Hang 3220:Hani 3248:- 3260:Hang 327F:- 3280:Hani 32B1:- 32C0:Hani 32CC:-
32D0:Kana 32FF:Hani 3300:Kana 3358:Hani 3371:- 337B:Hani 3380:- 33E0:Hani 33FF:- 3400:Hani 4DC0:- 4E00:Hani
A000:Yiii A4D0:Lisu A500:Vaii A640:Cyrl A66F:Cyrl+Glag A670:Cyrl A6A0:Bamu A700:Hani+Latn A708:- A722:Latn A788:-
A78B:Latn A800:Sylo A830:Deva+Dogr+Gujr+Guru+Khoj+Knda+Kthi+Mahj+Mlym+Modi+Nand+Sind+Takr+Tirh
A833:Deva+Dogr+Gujr+Guru+Khoj+Knda+Kthi+Mahj+Modi+Nand+Sind+Takr+Tirh
A836:Deva+Dogr+Gujr+Guru+Khoj+Kthi+Mahj+Modi+Sind+Takr+Tirh A840:Phag A880:Saur A8E0:Deva A8F1:Beng+Deva A8F2:Deva
A8F3:Deva+Taml A8F4:Deva A900:Kali A92E:Kali+Latn+Mymr A92F:Kali A930:Rjng A960:Hang A980:Java A9CF:Bugi+Java
A9D0:Java A9E0:Mymr AA00:Cham AA60:Mymr AA80:Tavt AAE0:Mtei AB01:Ethi AB30:Latn AB5B:- AB5C:Latn AB65:Grek AB66:Latn
AB6A:- AB70:Cher ABC0:Mtei AC00:Hang F900:Hani FB00:Latn FB13:Armn FB1D:Hebr FB50:Arab FD3E:Arab+Nkoo FD40:Arab
FDF2:Arab+Thaa FDF3:Arab FDFD:Arab+Thaa FDFE:Arab FE00:- FE2E:Cyrl FE30:- FE45:Bopo+Hang+Hani+Hira+Kana FE47:-
FE70:Arab FEFF:- FF21:Latn FF3B:- FF41:Latn FF5B:- FF61:Bopo+Hang+Hani+Hira+Kana+Yiii FF66:Kana FF70:Hira+Kana
FF71:Kana FF9E:Hira+Kana FFA0:Hang FFE0:- 10000:Linb 10100:Cpmn+Cprt+Linb 10102:Cprt+Linb 10107:Cprt+Lina+Linb
10137:Cprt+Linb 10140:Grek 10190:- 101A0:Grek 101D0:- 10280:Lyci 102A0:Cari 102E0:Arab+Copt 10300:Ital 10330:Goth
10350:Perm 10380:Ugar 103A0:Xpeo 10400:Dsrt 10450:Shaw 10480:Osma 104B0:Osge 10500:Elba 10530:Aghb 10570:Vith
10600:Lina 10780:Latn 10800:Cprt 10840:Armi 10860:Palm 10880:Nbat 108E0:Hatr 10900:Phnx 10920:Lydi 10980:Mero
109A0:Merc 10A00:Khar 10A60:Sarb 10A80:Narb 10AC0:Mani 10AF2:Mani+Ougr 10AF3:Mani 10B00:Avst 10B40:Prti 10B60:Phli
10B80:Phlp 10C00:Orkh 10C80:Hung 10D00:Rohg 10E60:Arab 10E80:Yezi 10F00:Sogo 10F30:Sogd 10F70:Ougr 10FB0:Chrs
10FE0:Elym 11000:Brah 11080:Kthi 110D0:Sora 11100:Cakm 11150:Mahj 11180:Shrd 111E1:Sinh 11200:Khoj 11280:Mult
112B0:Sind 11300:Gran 11301:Gran+Taml 11302:Gran 11303:Gran+Taml 11305:Gran 1133B:Gran+Taml 1133D:Gran 11400:Newa
11480:Tirh 11580:Sidd 11600:Modi 11660:Mong 11680:Takr 11700:Ahom 11800:Dogr 118A0:Wara 11900:Diak 119A0:Nand
11A00:Zanb 11A50:Soyo 11AB0:Cans 11AC0:Pauc 11C00:Bhks 11C70:Marc 11D00:Gonm 11D60:Gong 11EE0:Maka 11FB0:Lisu
11FC0:Taml 11FD0:Gran+Taml 11FD2:Taml 11FD3:Gran+Taml 11FD4:Taml 12000:Xsux 12F90:Cpmn 13000:Egyp 14400:Hluw
16800:Bamu 16A40:Mroo 16A70:Tnsa 16AD0:Bass 16B00:Hmng 16E40:Medf 16F00:Plrd 16FE0:Tang 16FE1:Nshu 16FE2:Hani
16FE4:Kits 16FF0:Hani 17000:Tang 18B00:Kits 18D00:Tang 1AFF0:Kana 1B001:Hira 1B120:Kana 1B150:Hira 1B164:Kana
1B170:Nshu 1BC00:Dupl 1CF00:- 1D200:Grek 1D2E0:- 1D360:Hani 1D372:- 1D800:Sgnw 1DF00:Latn 1E000:Glag 1E100:Hmnp
1E290:Toto 1E2C0:Wcho 1E7E0:Ethi 1E800:Mend 1E900:Adlm 1EC71:- 1EE00:Arab 1F000:- 1F200:Hira 1F201:- 1F250:Hani
1F260:- 20000:Hani E0001:-
"""

_ENTRIES = [entry.split(":") for entry in _RANGES.split()]
_STARTS = [int(start, 16) for start, _ in _ENTRIES]

# Writing systems that combine scripts (section 5.1): Chinese with Bopomofo, Japanese, and Korean.
_WRITING_SYSTEMS = {
    "Hani": {"Hanb", "Jpan", "Kore"},
    "Hira": {"Jpan"},
    "Kana": {"Jpan"},
    "Hang": {"Kore"},
    "Bopo": {"Hanb"},
}
_SCRIPTS = [
    frozenset[str]()
    if names == "-"
    else frozenset[str]().union(*({name, *_WRITING_SYSTEMS.get(name, ())} for name in names.split("+")))
    for _, names in _ENTRIES
]


def scripts_of(character: str) -> frozenset[str]:
    """Return the scripts and writing systems that use the character; none if it belongs to every script."""
    return _SCRIPTS[bisect_right(_STARTS, ord(character)) - 1]


def is_highly_restrictive(text: str) -> bool:
    """Return True if the text uses one script, or Latin and one of the writing systems of Chinese, Japanese or Korean.

    This is the restriction level of section 5.2, without its rule on the kinds of characters.
    """
    scripts = [found for found in map(scripts_of, text) if found]
    if not scripts or frozenset.intersection(*scripts):
        return True
    others = [found for found in scripts if "Latn" not in found]
    return bool(frozenset.intersection(*others) & {"Hanb", "Jpan", "Kore"})
