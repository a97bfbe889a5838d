// Kannada, language identifier 7. 0 = no character; the code point stands where its septet does.
#include "modem/pdu/national.hpp"

namespace conductor::pdu::national {

// Locking shift table, TS 23.038 annex A.3.7.
// Position 24 is U+0CA1: the code printed in the standard is that of position 3D, the glyph beside it is DDA.
// clang-format off
const Table kannada_locking = {
         0, 0x0C82, 0x0C83, 0x0C85, 0x0C86, 0x0C87, 0x0C88, 0x0C89, 0x0C8A, 0x0C8B,  u'\n', 0x0C8C,      0,  u'\r', 0x0C8E, 0x0C8F,  // 00-0F
    0x0C90,      0, 0x0C92, 0x0C93, 0x0C94, 0x0C95, 0x0C96, 0x0C97, 0x0C98, 0x0C99, 0x0C9A,      0, 0x0C9B, 0x0C9C, 0x0C9D, 0x0C9E,  // 10-1F
      u' ',   u'!', 0x0C9F, 0x0CA0, 0x0CA1, 0x0CA2, 0x0CA3, 0x0CA4,   u')',   u'(', 0x0CA5, 0x0CA6,   u',', 0x0CA7,   u'.', 0x0CA8,  // 20-2F
      u'0',   u'1',   u'2',   u'3',   u'4',   u'5',   u'6',   u'7',   u'8',   u'9',   u':',   u';',      0, 0x0CAA, 0x0CAB,   u'?',  // 30-3F
    0x0CAC, 0x0CAD, 0x0CAE, 0x0CAF, 0x0CB0, 0x0CB1, 0x0CB2, 0x0CB3,      0, 0x0CB5, 0x0CB6, 0x0CB7, 0x0CB8, 0x0CB9, 0x0CBC, 0x0CBD,  // 40-4F
    0x0CBE, 0x0CBF, 0x0CC0, 0x0CC1, 0x0CC2, 0x0CC3, 0x0CC4,      0, 0x0CC6, 0x0CC7, 0x0CC8,      0, 0x0CCA, 0x0CCB, 0x0CCC, 0x0CCD,  // 50-5F
    0x0CD5,   u'a',   u'b',   u'c',   u'd',   u'e',   u'f',   u'g',   u'h',   u'i',   u'j',   u'k',   u'l',   u'm',   u'n',   u'o',  // 60-6F
      u'p',   u'q',   u'r',   u's',   u't',   u'u',   u'v',   u'w',   u'x',   u'y',   u'z', 0x0CD6, 0x0CE0, 0x0CE1, 0x0CE2, 0x0CE3  // 70-7F
};

// Single shift table, annex A.2.7.
const Table kannada_single_shift = {
      u'@', 0x00A3,   u'$', 0x00A5, 0x00BF,   u'"', 0x00A4,   u'%',   u'&',  u'\'',  u'\f',   u'*',   u'+',      0,   u'-',   u'/',  // 00-0F
      u'<',   u'=',   u'>', 0x00A1,   u'^', 0x00A1,   u'_',   u'#',   u'*', 0x0964, 0x0965,      0, 0x0CE6, 0x0CE7, 0x0CE8, 0x0CE9,  // 10-1F
    0x0CEA, 0x0CEB, 0x0CEC, 0x0CED, 0x0CEE, 0x0CEF, 0x0CDE, 0x0CF1,   u'{',   u'}', 0x0CF2,      0,      0,      0,      0,  u'\\',  // 20-2F
         0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,   u'[',   u'~',   u']',      0,  // 30-3F
      u'|',   u'A',   u'B',   u'C',   u'D',   u'E',   u'F',   u'G',   u'H',   u'I',   u'J',   u'K',   u'L',   u'M',   u'N',   u'O',  // 40-4F
      u'P',   u'Q',   u'R',   u'S',   u'T',   u'U',   u'V',   u'W',   u'X',   u'Y',   u'Z',      0,      0,      0,      0,      0,  // 50-5F
         0,      0,      0,      0,      0, 0x20AC,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,  // 60-6F
         0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0  // 70-7F
};
// clang-format on

}  // namespace conductor::pdu::national
