#include "modem/pdu/national.hpp"

namespace conductor::pdu {

const Table* national_locking_table(std::uint8_t) {
    return nullptr;
}

const Table* national_single_shift_table(std::uint8_t) {
    return nullptr;
}

}  // namespace conductor::pdu
