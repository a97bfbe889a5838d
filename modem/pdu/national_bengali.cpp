// Bengali, language identifier 4. 0 = no character; the code point stands where its septet does.
#include "modem/pdu/national.hpp"

namespace conductor::pdu::national {

// Locking shift table, TS 23.038 annex A.3.4.
// clang-format off
const Table bengali_locking = {
    0x0981, 0x0982, 0x0983, 0x0985, 0x0986, 0x0987, 0x0988, 0x0989, 0x098A, 0x098B,  u'\n', 0x098C,      0,  u'\r',      0, 0x098F,  // 00-0F
    0x0990,      0,      0, 0x0993, 0x0994, 0x0995, 0x0996, 0x0997, 0x0998, 0x0999, 0x099A,      0, 0x099B, 0x099C, 0x099D, 0x099E,  // 10-1F
      u' ',   u'!', 0x099F, 0x09A0, 0x09A1, 0x09A2, 0x09A3, 0x09A4,   u')',   u'(', 0x09A5, 0x09A6,   u',', 0x09A7,   u'.', 0x09A8,  // 20-2F
      u'0',   u'1',   u'2',   u'3',   u'4',   u'5',   u'6',   u'7',   u'8',   u'9',   u':',   u';',      0, 0x09AA, 0x09AB,   u'?',  // 30-3F
    0x09AC, 0x09AD, 0x09AE, 0x09AF, 0x09B0,      0, 0x09B2,      0,      0,      0, 0x09B6, 0x09B7, 0x09B8, 0x09B9, 0x09BC, 0x09BD,  // 40-4F
    0x09BE, 0x09BF, 0x09C0, 0x09C1, 0x09C2, 0x09C3, 0x09C4,      0,      0, 0x09C7, 0x09C8,      0,      0, 0x09CB, 0x09CC, 0x09CD,  // 50-5F
    0x09CE,   u'a',   u'b',   u'c',   u'd',   u'e',   u'f',   u'g',   u'h',   u'i',   u'j',   u'k',   u'l',   u'm',   u'n',   u'o',  // 60-6F
      u'p',   u'q',   u'r',   u's',   u't',   u'u',   u'v',   u'w',   u'x',   u'y',   u'z', 0x09D7, 0x09DC, 0x09DD, 0x09F0, 0x09F1  // 70-7F
};

// Single shift table, annex A.2.4.
const Table bengali_single_shift = {
      u'@', 0x00A3,   u'$', 0x00A5, 0x00BF,   u'"', 0x00A4,   u'%',   u'&',  u'\'',  u'\f',   u'*',   u'+',      0,   u'-',   u'/',  // 00-0F
      u'<',   u'=',   u'>', 0x00A1,   u'^', 0x00A1,   u'_',   u'#',   u'*', 0x09E6, 0x09E7,      0, 0x09E8, 0x09E9, 0x09EA, 0x09EB,  // 10-1F
    0x09EC, 0x09ED, 0x09EE, 0x09EF, 0x09DF, 0x09E0, 0x09E1, 0x09E2,   u'{',   u'}', 0x09E3, 0x09F2, 0x09F3, 0x09F4, 0x09F5,  u'\\',  // 20-2F
    0x09F6, 0x09F7, 0x09F8, 0x09F9, 0x09FA,      0,      0,      0,      0,      0,      0,      0,   u'[',   u'~',   u']',      0,  // 30-3F
      u'|',   u'A',   u'B',   u'C',   u'D',   u'E',   u'F',   u'G',   u'H',   u'I',   u'J',   u'K',   u'L',   u'M',   u'N',   u'O',  // 40-4F
      u'P',   u'Q',   u'R',   u'S',   u'T',   u'U',   u'V',   u'W',   u'X',   u'Y',   u'Z',      0,      0,      0,      0,      0,  // 50-5F
         0,      0,      0,      0,      0, 0x20AC,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,  // 60-6F
         0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0  // 70-7F
};
// clang-format on

}  // namespace conductor::pdu::national
