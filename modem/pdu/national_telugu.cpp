// Telugu, language identifier 12. 0 = no character; the code point stands where its septet does.
#include "modem/pdu/national.hpp"

namespace conductor::pdu::national {

// Locking shift table, TS 23.038 annex A.3.12.
// clang-format off
const Table telugu_locking = {
    0x0C01, 0x0C02, 0x0C03, 0x0C05, 0x0C06, 0x0C07, 0x0C08, 0x0C09, 0x0C0A, 0x0C0B,  u'\n', 0x0C0C,      0,  u'\r', 0x0C0E, 0x0C0F,  // 00-0F
    0x0C10,      0, 0x0C12, 0x0C13, 0x0C14, 0x0C15, 0x0C16, 0x0C17, 0x0C18, 0x0C19, 0x0C1A,      0, 0x0C1B, 0x0C1C, 0x0C1D, 0x0C1E,  // 10-1F
      u' ',   u'!', 0x0C1F, 0x0C20, 0x0C21, 0x0C22, 0x0C23, 0x0C24,   u')',   u'(', 0x0C25, 0x0C26,   u',', 0x0C27,   u'.', 0x0C28,  // 20-2F
      u'0',   u'1',   u'2',   u'3',   u'4',   u'5',   u'6',   u'7',   u'8',   u'9',   u':',   u';',      0, 0x0C2A, 0x0C2B,   u'?',  // 30-3F
    0x0C2C, 0x0C2D, 0x0C2E, 0x0C2F, 0x0C30, 0x0C31, 0x0C32, 0x0C33,      0, 0x0C35, 0x0C36, 0x0C37, 0x0C38, 0x0C39,      0, 0x0C3D,  // 40-4F
    0x0C3E, 0x0C3F, 0x0C40, 0x0C41, 0x0C42, 0x0C43, 0x0C44,      0, 0x0C46, 0x0C47, 0x0C48,      0, 0x0C4A, 0x0C4B, 0x0C4C, 0x0C4D,  // 50-5F
    0x0C55,   u'a',   u'b',   u'c',   u'd',   u'e',   u'f',   u'g',   u'h',   u'i',   u'j',   u'k',   u'l',   u'm',   u'n',   u'o',  // 60-6F
      u'p',   u'q',   u'r',   u's',   u't',   u'u',   u'v',   u'w',   u'x',   u'y',   u'z', 0x0C56, 0x0C60, 0x0C61, 0x0C62, 0x0C63  // 70-7F
};

// Single shift table, annex A.2.12.
const Table telugu_single_shift = {
      u'@', 0x00A3,   u'$', 0x00A5, 0x00BF,   u'"', 0x00A4,   u'%',   u'&',  u'\'',  u'\f',   u'*',   u'+',      0,   u'-',   u'/',  // 00-0F
      u'<',   u'=',   u'>', 0x00A1,   u'^', 0x00A1,   u'_',   u'#',   u'*',      0,      0,      0, 0x0C66, 0x0C67, 0x0C68, 0x0C69,  // 10-1F
    0x0C6A, 0x0C6B, 0x0C6C, 0x0C6D, 0x0C6E, 0x0C6F, 0x0C58, 0x0C59,   u'{',   u'}', 0x0C78, 0x0C79, 0x0C7A, 0x0C7B, 0x0C7C,  u'\\',  // 20-2F
    0x0C7D, 0x0C7E, 0x0C7F,      0,      0,      0,      0,      0,      0,      0,      0,      0,   u'[',   u'~',   u']',      0,  // 30-3F
      u'|',   u'A',   u'B',   u'C',   u'D',   u'E',   u'F',   u'G',   u'H',   u'I',   u'J',   u'K',   u'L',   u'M',   u'N',   u'O',  // 40-4F
      u'P',   u'Q',   u'R',   u'S',   u'T',   u'U',   u'V',   u'W',   u'X',   u'Y',   u'Z',      0,      0,      0,      0,      0,  // 50-5F
         0,      0,      0,      0,      0, 0x20AC,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,  // 60-6F
         0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0  // 70-7F
};
// clang-format on

}  // namespace conductor::pdu::national
