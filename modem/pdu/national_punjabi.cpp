// Punjabi, language identifier 10. 0 = no character; the code point stands where its septet does.
#include "modem/pdu/national.hpp"

namespace conductor::pdu::national {

// Locking shift table, TS 23.038 annex A.3.10.
// clang-format off
const Table punjabi_locking = {
    0x0A01, 0x0A02, 0x0A03, 0x0A05, 0x0A06, 0x0A07, 0x0A08, 0x0A09, 0x0A0A,      0,  u'\n',      0,      0,  u'\r',      0, 0x0A0F,  // 00-0F
    0x0A10,      0,      0, 0x0A13, 0x0A14, 0x0A15, 0x0A16, 0x0A17, 0x0A18, 0x0A19, 0x0A1A,      0, 0x0A1B, 0x0A1C, 0x0A1D, 0x0A1E,  // 10-1F
      u' ',   u'!', 0x0A1F, 0x0A20, 0x0A21, 0x0A22, 0x0A23, 0x0A24,   u')',   u'(', 0x0A25, 0x0A26,   u',', 0x0A27,   u'.', 0x0A28,  // 20-2F
      u'0',   u'1',   u'2',   u'3',   u'4',   u'5',   u'6',   u'7',   u'8',   u'9',   u':',   u';',      0, 0x0A2A, 0x0A2B,   u'?',  // 30-3F
    0x0A2C, 0x0A2D, 0x0A2E, 0x0A2F, 0x0A30,      0, 0x0A32, 0x0A33,      0, 0x0A35, 0x0A36,      0, 0x0A38, 0x0A39, 0x0A3C,      0,  // 40-4F
    0x0A3E, 0x0A3F, 0x0A40, 0x0A41, 0x0A42,      0,      0,      0,      0, 0x0A47, 0x0A48,      0,      0, 0x0A4B, 0x0A4C, 0x0A4D,  // 50-5F
    0x0A51,   u'a',   u'b',   u'c',   u'd',   u'e',   u'f',   u'g',   u'h',   u'i',   u'j',   u'k',   u'l',   u'm',   u'n',   u'o',  // 60-6F
      u'p',   u'q',   u'r',   u's',   u't',   u'u',   u'v',   u'w',   u'x',   u'y',   u'z', 0x0A70, 0x0A71, 0x0A72, 0x0A73, 0x0A74  // 70-7F
};

// Single shift table, annex A.2.10.
const Table punjabi_single_shift = {
      u'@', 0x00A3,   u'$', 0x00A5, 0x00BF,   u'"', 0x00A4,   u'%',   u'&',  u'\'',  u'\f',   u'*',   u'+',      0,   u'-',   u'/',  // 00-0F
      u'<',   u'=',   u'>', 0x00A1,   u'^', 0x00A1,   u'_',   u'#',   u'*', 0x0964, 0x0965,      0, 0x0A66, 0x0A67, 0x0A68, 0x0A69,  // 10-1F
    0x0A6A, 0x0A6B, 0x0A6C, 0x0A6D, 0x0A6E, 0x0A6F, 0x0A59, 0x0A5A,   u'{',   u'}', 0x0A5B, 0x0A5C, 0x0A5E, 0x0A75,      0,  u'\\',  // 20-2F
         0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,   u'[',   u'~',   u']',      0,  // 30-3F
      u'|',   u'A',   u'B',   u'C',   u'D',   u'E',   u'F',   u'G',   u'H',   u'I',   u'J',   u'K',   u'L',   u'M',   u'N',   u'O',  // 40-4F
      u'P',   u'Q',   u'R',   u'S',   u'T',   u'U',   u'V',   u'W',   u'X',   u'Y',   u'Z',      0,      0,      0,      0,      0,  // 50-5F
         0,      0,      0,      0,      0, 0x20AC,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,  // 60-6F
         0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0  // 70-7F
};
// clang-format on

}  // namespace conductor::pdu::national
