// Language identifiers, TS 23.038 §6.2.1.2.4.
#include "modem/pdu/national.hpp"

namespace conductor::pdu {
namespace {

using namespace national;

struct Language {
    const Table* locking;
    const Table* single_shift;
};

/// Index = identifier.
const Language languages[] = {
    {nullptr, nullptr},
    {&turkish_locking, &turkish_single_shift},
    {nullptr, &spanish_single_shift},
    {&portuguese_locking, &portuguese_single_shift},
    {&bengali_locking, &bengali_single_shift},
    {&gujarati_locking, &gujarati_single_shift},
    {&hindi_locking, &hindi_single_shift},
    {&kannada_locking, &kannada_single_shift},
    {&malayalam_locking, &malayalam_single_shift},
    {&oriya_locking, &oriya_single_shift},
    {&punjabi_locking, &punjabi_single_shift},
    {&tamil_locking, &tamil_single_shift},
    {&telugu_locking, &telugu_single_shift},
    {&urdu_locking, &urdu_single_shift},
};

}  // namespace

static_assert(std::size(languages) == last_language + 1);

const Table* national_locking_table(std::uint8_t language) {
    return language <= last_language ? languages[language].locking : nullptr;
}

const Table* national_single_shift_table(std::uint8_t language) {
    return language <= last_language ? languages[language].single_shift : nullptr;
}

}  // namespace conductor::pdu
