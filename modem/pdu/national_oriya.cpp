// Oriya, language identifier 9. 0 = no character; the code point stands where its septet does.
#include "modem/pdu/national.hpp"

namespace conductor::pdu::national {

// Locking shift table, TS 23.038 annex A.3.9.
// clang-format off
const Table oriya_locking = {
    0x0B01, 0x0B02, 0x0B03, 0x0B05, 0x0B06, 0x0B07, 0x0B08, 0x0B09, 0x0B0A, 0x0B0B,  u'\n', 0x0B0C,      0,  u'\r',      0, 0x0B0F,  // 00-0F
    0x0B10,      0,      0, 0x0B13, 0x0B14, 0x0B15, 0x0B16, 0x0B17, 0x0B18, 0x0B19, 0x0B1A,      0, 0x0B1B, 0x0B1C, 0x0B1D, 0x0B1E,  // 10-1F
      u' ',   u'!', 0x0B1F, 0x0B20, 0x0B21, 0x0B22, 0x0B23, 0x0B24,   u')',   u'(', 0x0B25, 0x0B26,   u',', 0x0B27,   u'.', 0x0B28,  // 20-2F
      u'0',   u'1',   u'2',   u'3',   u'4',   u'5',   u'6',   u'7',   u'8',   u'9',   u':',   u';',      0, 0x0B2A, 0x0B2B,   u'?',  // 30-3F
    0x0B2C, 0x0B2D, 0x0B2E, 0x0B2F, 0x0B30,      0, 0x0B32, 0x0B33,      0, 0x0B35, 0x0B36, 0x0B37, 0x0B38, 0x0B39, 0x0B3C, 0x0B3D,  // 40-4F
    0x0B3E, 0x0B3F, 0x0B40, 0x0B41, 0x0B42, 0x0B43, 0x0B44,      0,      0, 0x0B47, 0x0B48,      0,      0, 0x0B4B, 0x0B4C, 0x0B4D,  // 50-5F
    0x0B56,   u'a',   u'b',   u'c',   u'd',   u'e',   u'f',   u'g',   u'h',   u'i',   u'j',   u'k',   u'l',   u'm',   u'n',   u'o',  // 60-6F
      u'p',   u'q',   u'r',   u's',   u't',   u'u',   u'v',   u'w',   u'x',   u'y',   u'z', 0x0B57, 0x0B60, 0x0B61, 0x0B62, 0x0B63  // 70-7F
};

// Single shift table, annex A.2.9.
const Table oriya_single_shift = {
      u'@', 0x00A3,   u'$', 0x00A5, 0x00BF,   u'"', 0x00A4,   u'%',   u'&',  u'\'',  u'\f',   u'*',   u'+',      0,   u'-',   u'/',  // 00-0F
      u'<',   u'=',   u'>', 0x00A1,   u'^', 0x00A1,   u'_',   u'#',   u'*', 0x0964, 0x0965,      0, 0x0B66, 0x0B67, 0x0B68, 0x0B69,  // 10-1F
    0x0B6A, 0x0B6B, 0x0B6C, 0x0B6D, 0x0B6E, 0x0B6F, 0x0B5C, 0x0B5D,   u'{',   u'}', 0x0B5F, 0x0B70, 0x0B71,      0,      0,  u'\\',  // 20-2F
         0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,   u'[',   u'~',   u']',      0,  // 30-3F
      u'|',   u'A',   u'B',   u'C',   u'D',   u'E',   u'F',   u'G',   u'H',   u'I',   u'J',   u'K',   u'L',   u'M',   u'N',   u'O',  // 40-4F
      u'P',   u'Q',   u'R',   u'S',   u'T',   u'U',   u'V',   u'W',   u'X',   u'Y',   u'Z',      0,      0,      0,      0,      0,  // 50-5F
         0,      0,      0,      0,      0, 0x20AC,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,  // 60-6F
         0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0  // 70-7F
};
// clang-format on

}  // namespace conductor::pdu::national
