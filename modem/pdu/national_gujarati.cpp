// Gujarati, language identifier 5. 0 = no character; the code point stands where its septet does.
#include "modem/pdu/national.hpp"

namespace conductor::pdu::national {

// Locking shift table, TS 23.038 annex A.3.5.
// clang-format off
const Table gujarati_locking = {
    0x0A81, 0x0A82, 0x0A83, 0x0A85, 0x0A86, 0x0A87, 0x0A88, 0x0A89, 0x0A8A, 0x0A8B,  u'\n', 0x0A8C, 0x0A8D,  u'\r',      0, 0x0A8F,  // 00-0F
    0x0A90, 0x0A91,      0, 0x0A93, 0x0A94, 0x0A95, 0x0A96, 0x0A97, 0x0A98, 0x0A99, 0x0A9A,      0, 0x0A9B, 0x0A9C, 0x0A9D, 0x0A9E,  // 10-1F
      u' ',   u'!', 0x0A9F, 0x0AA0, 0x0AA1, 0x0AA2, 0x0AA3, 0x0AA4,   u')',   u'(', 0x0AA5, 0x0AA6,   u',', 0x0AA7,   u'.', 0x0AA8,  // 20-2F
      u'0',   u'1',   u'2',   u'3',   u'4',   u'5',   u'6',   u'7',   u'8',   u'9',   u':',   u';',      0, 0x0AAA, 0x0AAB,   u'?',  // 30-3F
    0x0AAC, 0x0AAD, 0x0AAE, 0x0AAF, 0x0AB0,      0, 0x0AB2, 0x0AB3,      0, 0x0AB5, 0x0AB6, 0x0AB7, 0x0AB8, 0x0AB9, 0x0ABC, 0x0ABD,  // 40-4F
    0x0ABE, 0x0ABF, 0x0AC0, 0x0AC1, 0x0AC2, 0x0AC3, 0x0AC4, 0x0AC5,      0, 0x0AC7, 0x0AC8, 0x0AC9,      0, 0x0ACB, 0x0ACC, 0x0ACD,  // 50-5F
    0x0AD0,   u'a',   u'b',   u'c',   u'd',   u'e',   u'f',   u'g',   u'h',   u'i',   u'j',   u'k',   u'l',   u'm',   u'n',   u'o',  // 60-6F
      u'p',   u'q',   u'r',   u's',   u't',   u'u',   u'v',   u'w',   u'x',   u'y',   u'z', 0x0AE0, 0x0AE1, 0x0AE2, 0x0AE3, 0x0AF1  // 70-7F
};

// Single shift table, annex A.2.5.
const Table gujarati_single_shift = {
      u'@', 0x00A3,   u'$', 0x00A5, 0x00BF,   u'"', 0x00A4,   u'%',   u'&',  u'\'',  u'\f',   u'*',   u'+',      0,   u'-',   u'/',  // 00-0F
      u'<',   u'=',   u'>', 0x00A1,   u'^', 0x00A1,   u'_',   u'#',   u'*', 0x0964, 0x0965,      0, 0x0AE6, 0x0AE7, 0x0AE8, 0x0AE9,  // 10-1F
    0x0AEA, 0x0AEB, 0x0AEC, 0x0AED, 0x0AEE, 0x0AEF,      0,      0,   u'{',   u'}',      0,      0,      0,      0,      0,  u'\\',  // 20-2F
         0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,   u'[',   u'~',   u']',      0,  // 30-3F
      u'|',   u'A',   u'B',   u'C',   u'D',   u'E',   u'F',   u'G',   u'H',   u'I',   u'J',   u'K',   u'L',   u'M',   u'N',   u'O',  // 40-4F
      u'P',   u'Q',   u'R',   u'S',   u'T',   u'U',   u'V',   u'W',   u'X',   u'Y',   u'Z',      0,      0,      0,      0,      0,  // 50-5F
         0,      0,      0,      0,      0, 0x20AC,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,  // 60-6F
         0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0  // 70-7F
};
// clang-format on

}  // namespace conductor::pdu::national
