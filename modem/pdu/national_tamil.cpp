// Tamil, language identifier 11. 0 = no character; the code point stands where its septet does.
#include "modem/pdu/national.hpp"

namespace conductor::pdu::national {

// Locking shift table, TS 23.038 annex A.3.11.
// clang-format off
const Table tamil_locking = {
         0, 0x0B82, 0x0B83, 0x0B85, 0x0B86, 0x0B87, 0x0B88, 0x0B89, 0x0B8A,      0,  u'\n',      0,      0,  u'\r', 0x0B8E, 0x0B8F,  // 00-0F
    0x0B90,      0, 0x0B92, 0x0B93, 0x0B94, 0x0B95,      0,      0,      0, 0x0B99, 0x0B9A,      0,      0, 0x0B9C,      0, 0x0B9E,  // 10-1F
      u' ',   u'!', 0x0B9F,      0,      0,      0, 0x0BA3, 0x0BA4,   u')',   u'(',      0,      0,   u',',      0,   u'.', 0x0BA8,  // 20-2F
      u'0',   u'1',   u'2',   u'3',   u'4',   u'5',   u'6',   u'7',   u'8',   u'9',   u':',   u';', 0x0BA9, 0x0BAA,      0,   u'?',  // 30-3F
         0,      0, 0x0BAE, 0x0BAF, 0x0BB0, 0x0BB1, 0x0BB2, 0x0BB3, 0x0BB4, 0x0BB5, 0x0BB6, 0x0BB7, 0x0BB8, 0x0BB9,      0,      0,  // 40-4F
    0x0BBE, 0x0BBF, 0x0BC0, 0x0BC1, 0x0BC2,      0,      0,      0, 0x0BC6, 0x0BC7, 0x0BC8,      0, 0x0BCA, 0x0BCB, 0x0BCC, 0x0BCD,  // 50-5F
    0x0BD0,   u'a',   u'b',   u'c',   u'd',   u'e',   u'f',   u'g',   u'h',   u'i',   u'j',   u'k',   u'l',   u'm',   u'n',   u'o',  // 60-6F
      u'p',   u'q',   u'r',   u's',   u't',   u'u',   u'v',   u'w',   u'x',   u'y',   u'z', 0x0BD7, 0x0BF0, 0x0BF1, 0x0BF2, 0x0BF9  // 70-7F
};

// Single shift table, annex A.2.11.
const Table tamil_single_shift = {
      u'@', 0x00A3,   u'$', 0x00A5, 0x00BF,   u'"', 0x00A4,   u'%',   u'&',  u'\'',  u'\f',   u'*',   u'+',      0,   u'-',   u'/',  // 00-0F
      u'<',   u'=',   u'>', 0x00A1,   u'^', 0x00A1,   u'_',   u'#',   u'*', 0x0964, 0x0965,      0, 0x0BE6, 0x0BE7, 0x0BE8, 0x0BE9,  // 10-1F
    0x0BEA, 0x0BEB, 0x0BEC, 0x0BED, 0x0BEE, 0x0BEF, 0x0BF3, 0x0BF4,   u'{',   u'}', 0x0BF5, 0x0BF6, 0x0BF7, 0x0BF8, 0x0BFA,  u'\\',  // 20-2F
         0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,   u'[',   u'~',   u']',      0,  // 30-3F
      u'|',   u'A',   u'B',   u'C',   u'D',   u'E',   u'F',   u'G',   u'H',   u'I',   u'J',   u'K',   u'L',   u'M',   u'N',   u'O',  // 40-4F
      u'P',   u'Q',   u'R',   u'S',   u'T',   u'U',   u'V',   u'W',   u'X',   u'Y',   u'Z',      0,      0,      0,      0,      0,  // 50-5F
         0,      0,      0,      0,      0, 0x20AC,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,  // 60-6F
         0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0  // 70-7F
};
// clang-format on

}  // namespace conductor::pdu::national
