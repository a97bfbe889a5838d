// Spanish, language identifier 2. 0 = no character; the code point stands where its septet does.
#include "modem/pdu/national.hpp"

namespace conductor::pdu::national {

// It has no locking shift table.
// Single shift table, TS 23.038 annex A.2.2.
// clang-format off
const Table spanish_single_shift = {
         0,      0,      0,      0,      0,      0,      0,      0,      0, 0x00E7,  u'\f',      0,      0,      0,      0,      0,  // 00-0F
         0,      0,      0,      0,   u'^',      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,  // 10-1F
         0,      0,      0,      0,      0,      0,      0,      0,   u'{',   u'}',      0,      0,      0,      0,      0,  u'\\',  // 20-2F
         0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,   u'[',   u'~',   u']',      0,  // 30-3F
      u'|', 0x00C1,      0,      0,      0,      0,      0,      0,      0, 0x00CD,      0,      0,      0,      0,      0, 0x00D3,  // 40-4F
         0,      0,      0,      0,      0, 0x00DA,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0,  // 50-5F
         0, 0x00E1,      0,      0,      0, 0x20AC,      0,      0,      0, 0x00ED,      0,      0,      0,      0,      0, 0x00F3,  // 60-6F
         0,      0,      0,      0,      0, 0x00FA,      0,      0,      0,      0,      0,      0,      0,      0,      0,      0  // 70-7F
};
// clang-format on

}  // namespace conductor::pdu::national
