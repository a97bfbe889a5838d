#pragma once
// National language tables, TS 23.038 annex A. Each language is a data file of its own, national_<language>.cpp.
#include "modem/pdu/gsm7.hpp"

namespace conductor::pdu {
namespace national {

extern const Table turkish_locking, turkish_single_shift;
extern const Table spanish_single_shift;
extern const Table portuguese_locking, portuguese_single_shift;
extern const Table bengali_locking, bengali_single_shift;
extern const Table gujarati_locking, gujarati_single_shift;
extern const Table hindi_locking, hindi_single_shift;
extern const Table kannada_locking, kannada_single_shift;
extern const Table malayalam_locking, malayalam_single_shift;
extern const Table oriya_locking, oriya_single_shift;
extern const Table punjabi_locking, punjabi_single_shift;
extern const Table tamil_locking, tamil_single_shift;
extern const Table telugu_locking, telugu_single_shift;
extern const Table urdu_locking, urdu_single_shift;

}  // namespace national

/// The table of language 1-13, nullptr when annex A has none.
const Table* national_locking_table(std::uint8_t language);
const Table* national_single_shift_table(std::uint8_t language);

}  // namespace conductor::pdu
