#pragma once
// National language tables, TS 23.038 annex A.
#include "modem/pdu/gsm7.hpp"

namespace conductor::pdu {

/// The table of language 1-13, nullptr when annex A has none.
const Table* national_locking_table(std::uint8_t language);
const Table* national_single_shift_table(std::uint8_t language);

}  // namespace conductor::pdu
