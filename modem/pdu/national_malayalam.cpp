// Malayalam, language identifier 8. 0 = no character; the code point stands where its septet does.
#include "modem/pdu/national.hpp"

namespace conductor::pdu::national {

// Locking shift table, TS 23.038 annex A.3.8.
// clang-format off
const Table malayalam_locking = {
         0, 0x0D02, 0x0D03, 0x0D05, 0x0D06, 0x0D07, 0x0D08, 0x0D09, 0x0D0A, 0x0D0B,  u'\n', 0x0D0C,      0,  u'\r', 0x0D0E, 0x0D0F,  // 00-0F
    0x0D10,      0, 0x0D12, 0x0D13, 0x0D14, 0x0D15, 0x0D16, 0x0D17, 0x0D18, 0x0D19, 0x0D1A,      0, 0x0D1B, 0x0D1C, 0x0D1D, 0x0D1E,  // 10-1F
      u' ',   u'!', 0x0D1F, 0x0D20, 0x0D21, 0x0D22, 0x0D23, 0x0D24,   u')',   u'(', 0x0D25, 0x0D26,   u',', 0x0D27,   u'.', 0x0D28,  // 20-2F
      u'0',   u'1',   u'2',   u'3',   u'4',   u'5',   u'6',   u'7',   u'8',   u'9',   u':',   u';',      0, 0x0D2A, 0x0D2B,   u'?',  // 30-3F
    0x0D2C, 0x0D2D, 0x0D2E, 0x0D2F, 0x0D30, 0x0D31, 0x0D32, 0x0D33, 0x0D34, 0x0D35, 0x0D36, 0x0D37, 0x0D38, 0x0D39,      0, 0x0D3D,  // 40-4F
    0x0D3E, 0x0D3F, 0x0D40, 0x0D41, 0x0D42, 0x0D43, 0x0D44,      0, 0x0D46, 0x0D47, 0x0D48,      0, 0x0D4A, 0x0D4B, 0x0D4C, 0x0D4D,  // 50-5F
    0x0D57,   u'a',   u'b',   u'c',   u'd',   u'e',   u'f',   u'g',   u'h',   u'i',   u'j',   u'k',   u'l',   u'm',   u'n',   u'o',  // 60-6F
      u'p',   u'q',   u'r',   u's',   u't',   u'u',   u'v',   u'w',   u'x',   u'y',   u'z', 0x0D60, 0x0D61, 0x0D62, 0x0D63, 0x0D79  // 70-7F
};

// Single shift table, annex A.2.8.
const Table malayalam_single_shift = {
      u'@', 0x00A3,   u'$', 0x00A5, 0x00BF,   u'"', 0x00A4,   u'%',   u'&',  u'\'',  u'\f',   u'*',   u'+',      0,   u'-',   u'/',  // 00-0F
      u'<',   u'=',   u'>', 0x00A1,   u'^', 0x00A1,   u'_',   u'#',   u'*', 0x0964, 0x0965,      0, 0x0D66, 0x0D67, 0x0D68, 0x0D69,  // 10-1F
    0x0D6A, 0x0D6B, 0x0D6C, 0x0D6D, 0x0D6E, 0x0D6F, 0x0D70, 0x0D71,   u'{',   u'}', 0x0D72, 0x0D73, 0x0D74, 0x0D75, 0x0D7A,  u'\\',  // 20-2F
    0x0D7B, 0x0D7C, 0x0D7D, 0x0D7E, 0x0D7F,      0,      0,      0,      0,      0,      0,      0,   u'[',   u'~',   u']',      0,  // 30-3F
      u'|',   u'A',   u'B',   u'C',   u'D',   u'E',   u'F',   u'G',   u'H',   u'I',   u'J',   u'K',   u'L',   u'M',   u'N',   u'O',  // 40-4F
      u'P',   u'Q',   u'R',   u'S',   u'T',   u'U',   u'V',   u'W',   u'X',   u'Y',   u'Z',      0,      0,      0,      0,      0,  // 50-5F
         0,      0,      0,      0,      0, 0x20AC,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,  // 60-6F
         0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0  // 70-7F
};
// clang-format on

}  // namespace conductor::pdu::national
