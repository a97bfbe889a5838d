// Turkish, language identifier 1. 0 = no character; the code point stands where its septet does.
#include "modem/pdu/national.hpp"

namespace conductor::pdu::national {

// Locking shift table, TS 23.038 annex A.3.1.
// clang-format off
const Table turkish_locking = {
      u'@', 0x00A3,   u'$', 0x00A5, 0x20AC, 0x00E9, 0x00F9, 0x0131, 0x00F2, 0x00C7,  u'\n', 0x011E, 0x011F,  u'\r', 0x00C5, 0x00E5,  // 00-0F
    0x0394,   u'_', 0x03A6, 0x0393, 0x039B, 0x03A9, 0x03A0, 0x03A8, 0x03A3, 0x0398, 0x039E,      0, 0x015E, 0x015F, 0x00DF, 0x00C9,  // 10-1F
      u' ',   u'!',   u'"',   u'#', 0x00A4,   u'%',   u'&',  u'\'',   u'(',   u')',   u'*',   u'+',   u',',   u'-',   u'.',   u'/',  // 20-2F
      u'0',   u'1',   u'2',   u'3',   u'4',   u'5',   u'6',   u'7',   u'8',   u'9',   u':',   u';',   u'<',   u'=',   u'>',   u'?',  // 30-3F
    0x0130,   u'A',   u'B',   u'C',   u'D',   u'E',   u'F',   u'G',   u'H',   u'I',   u'J',   u'K',   u'L',   u'M',   u'N',   u'O',  // 40-4F
      u'P',   u'Q',   u'R',   u'S',   u'T',   u'U',   u'V',   u'W',   u'X',   u'Y',   u'Z', 0x00C4, 0x00D6, 0x00D1, 0x00DC, 0x00A7,  // 50-5F
    0x00E7,   u'a',   u'b',   u'c',   u'd',   u'e',   u'f',   u'g',   u'h',   u'i',   u'j',   u'k',   u'l',   u'm',   u'n',   u'o',  // 60-6F
      u'p',   u'q',   u'r',   u's',   u't',   u'u',   u'v',   u'w',   u'x',   u'y',   u'z', 0x00E4, 0x00F6, 0x00F1, 0x00FC, 0x00E0  // 70-7F
};

// Single shift table, annex A.2.1.
const Table turkish_single_shift = {
         0,      0,      0,      0,      0,      0,      0,      0,      0,      0,  u'\f',      0,      0,      0,      0,      0,  // 00-0F
         0,      0,      0,      0,   u'^',      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,  // 10-1F
         0,      0,      0,      0,      0,      0,      0,      0,   u'{',   u'}',      0,      0,      0,      0,      0,  u'\\',  // 20-2F
         0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,   u'[',   u'~',   u']',      0,  // 30-3F
      u'|',      0,      0,      0,      0,      0,      0, 0x011E,      0, 0x0130,      0,      0,      0,      0,      0,      0,  // 40-4F
         0,      0,      0, 0x015E,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,  // 50-5F
         0,      0,      0, 0x00E7,      0, 0x20AC,      0, 0x011F,      0, 0x0131,      0,      0,      0,      0,      0,      0,  // 60-6F
         0,      0,      0, 0x015F,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0  // 70-7F
};
// clang-format on

}  // namespace conductor::pdu::national
