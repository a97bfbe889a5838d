// Portuguese, language identifier 3. 0 = no character; the code point stands where its septet does.
#include "modem/pdu/national.hpp"

namespace conductor::pdu::national {

// Locking shift table, TS 23.038 annex A.3.3.
// clang-format off
const Table portuguese_locking = {
      u'@', 0x00A3,   u'$', 0x00A5, 0x00EA, 0x00E9, 0x00FA, 0x00ED, 0x00F3, 0x00E7,  u'\n', 0x00D4, 0x00F4,  u'\r', 0x00C1, 0x00E1,  // 00-0F
    0x0394,   u'_', 0x00AA, 0x00C7, 0x00C0, 0x221E,   u'^',  u'\\', 0x20AC, 0x00D3,   u'|',      0, 0x00C2, 0x00E2, 0x00CA, 0x00C9,  // 10-1F
      u' ',   u'!',   u'"',   u'#', 0x00BA,   u'%',   u'&',  u'\'',   u'(',   u')',   u'*',   u'+',   u',',   u'-',   u'.',   u'/',  // 20-2F
      u'0',   u'1',   u'2',   u'3',   u'4',   u'5',   u'6',   u'7',   u'8',   u'9',   u':',   u';',   u'<',   u'=',   u'>',   u'?',  // 30-3F
    0x00CD,   u'A',   u'B',   u'C',   u'D',   u'E',   u'F',   u'G',   u'H',   u'I',   u'J',   u'K',   u'L',   u'M',   u'N',   u'O',  // 40-4F
      u'P',   u'Q',   u'R',   u'S',   u'T',   u'U',   u'V',   u'W',   u'X',   u'Y',   u'Z', 0x00C3, 0x00D5, 0x00DA, 0x00DC, 0x00A7,  // 50-5F
      u'~',   u'a',   u'b',   u'c',   u'd',   u'e',   u'f',   u'g',   u'h',   u'i',   u'j',   u'k',   u'l',   u'm',   u'n',   u'o',  // 60-6F
      u'p',   u'q',   u'r',   u's',   u't',   u'u',   u'v',   u'w',   u'x',   u'y',   u'z', 0x00E3, 0x00F5,   u'`', 0x00FC, 0x00E0  // 70-7F
};

// Single shift table, annex A.2.3.
const Table portuguese_single_shift = {
         0,      0,      0,      0,      0, 0x00EA,      0,      0,      0, 0x00E7,  u'\f', 0x00D4, 0x00F4,      0, 0x00C1, 0x00E1,  // 00-0F
         0,      0, 0x03A6, 0x0393,   u'^', 0x03A9, 0x03A0, 0x03A8, 0x03A3, 0x0398,      0,      0,      0,      0,      0, 0x00CA,  // 10-1F
         0,      0,      0,      0,      0,      0,      0,      0,   u'{',   u'}',      0,      0,      0,      0,      0,  u'\\',  // 20-2F
         0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,   u'[',   u'~',   u']',      0,  // 30-3F
      u'|', 0x00C0,      0,      0,      0,      0,      0,      0,      0, 0x00CD,      0,      0,      0,      0,      0, 0x00D3,  // 40-4F
         0,      0,      0,      0,      0, 0x00DA,      0,      0,      0,      0,      0, 0x00C3, 0x00D5,      0,      0,      0,  // 50-5F
         0, 0x00C2,      0,      0,      0, 0x20AC,      0,      0,      0, 0x00ED,      0,      0,      0,      0,      0, 0x00F3,  // 60-6F
         0,      0,      0,      0,      0, 0x00FA,      0,      0,      0,      0,      0, 0x00E3, 0x00F5,      0,      0, 0x00E2  // 70-7F
};
// clang-format on

}  // namespace conductor::pdu::national
