// Urdu, language identifier 13. 0 = no character; the code point stands where its septet does.
#include "modem/pdu/national.hpp"

namespace conductor::pdu::national {

// Locking shift table, TS 23.038 annex A.3.13.
// clang-format off
const Table urdu_locking = {
    0x0627, 0x0622, 0x0628, 0x067B, 0x0680, 0x067E, 0x06A6, 0x062A, 0x06C2, 0x067F,  u'\n', 0x0679, 0x067D,  u'\r', 0x067A, 0x067C,  // 00-0F
    0x062B, 0x062C, 0x0681, 0x0684, 0x0683, 0x0685, 0x0686, 0x0687, 0x062D, 0x062E, 0x062F,      0, 0x068C, 0x0688, 0x0689, 0x068A,  // 10-1F
      u' ',   u'!', 0x068F, 0x068D, 0x0630, 0x0631, 0x0691, 0x0693,   u')',   u'(', 0x0699, 0x0632,   u',', 0x0696,   u'.', 0x0698,  // 20-2F
      u'0',   u'1',   u'2',   u'3',   u'4',   u'5',   u'6',   u'7',   u'8',   u'9',   u':',   u';', 0x069A, 0x0633, 0x0634,   u'?',  // 30-3F
    0x0635, 0x0636, 0x0637, 0x0638, 0x0639, 0x0641, 0x0642, 0x06A9, 0x06AA, 0x06AB, 0x06AF, 0x06B3, 0x06B1, 0x0644, 0x0645, 0x0646,  // 40-4F
    0x06BA, 0x06BB, 0x06BC, 0x0648, 0x06C4, 0x06D5, 0x06C1, 0x06BE, 0x0621, 0x06CC, 0x06D0, 0x06D2, 0x064D, 0x0650, 0x064F, 0x0657,  // 50-5F
    0x0654,   u'a',   u'b',   u'c',   u'd',   u'e',   u'f',   u'g',   u'h',   u'i',   u'j',   u'k',   u'l',   u'm',   u'n',   u'o',  // 60-6F
      u'p',   u'q',   u'r',   u's',   u't',   u'u',   u'v',   u'w',   u'x',   u'y',   u'z', 0x0655, 0x0651, 0x0653, 0x0656, 0x0670  // 70-7F
};

// Single shift table, annex A.2.13.
const Table urdu_single_shift = {
      u'@', 0x00A3,   u'$', 0x00A5, 0x00BF,   u'"', 0x00A4,   u'%',   u'&',  u'\'',  u'\f',   u'*',   u'+',      0,   u'-',   u'/',  // 00-0F
      u'<',   u'=',   u'>', 0x00A1,   u'^', 0x00A1,   u'_',   u'#',   u'*', 0x0600, 0x0601,      0, 0x06F0, 0x06F1, 0x06F2, 0x06F3,  // 10-1F
    0x06F4, 0x06F5, 0x06F6, 0x06F7, 0x06F8, 0x06F9, 0x060C, 0x060D,   u'{',   u'}', 0x060E, 0x060F, 0x0610, 0x0611, 0x0612,  u'\\',  // 20-2F
    0x0613, 0x0614, 0x061B, 0x061F, 0x0640, 0x0652, 0x0658, 0x066B, 0x066C, 0x0672, 0x0673, 0x06CD,   u'[',   u'~',   u']', 0x06D4,  // 30-3F
      u'|',   u'A',   u'B',   u'C',   u'D',   u'E',   u'F',   u'G',   u'H',   u'I',   u'J',   u'K',   u'L',   u'M',   u'N',   u'O',  // 40-4F
      u'P',   u'Q',   u'R',   u'S',   u'T',   u'U',   u'V',   u'W',   u'X',   u'Y',   u'Z',      0,      0,      0,      0,      0,  // 50-5F
         0,      0,      0,      0,      0, 0x20AC,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,  // 60-6F
         0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0  // 70-7F
};
// clang-format on

}  // namespace conductor::pdu::national
