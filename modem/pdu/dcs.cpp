#include "modem/pdu/pdu.hpp"

namespace conductor::pdu {
namespace {

Alphabet alphabet_bits(std::uint8_t raw) {
    switch (raw >> 2 & 3) {
        case 1: return Alphabet::data8;
        case 2: return Alphabet::ucs2;
        default: return Alphabet::gsm7;  // 3 is reserved: the default alphabet
    }
}

}  // namespace

Dcs parse_dcs(std::uint8_t raw) {
    Dcs dcs{.raw = raw};
    switch (raw >> 4) {
        case 0x0:
        case 0x1:
        case 0x2:
        case 0x3:
        case 0x4:  // as 0-3, and marked for automatic deletion
        case 0x5:
        case 0x6:
        case 0x7:
            dcs.auto_delete = (raw & 0x40) != 0;
            dcs.compressed = (raw & 0x20) != 0;
            if (raw & 0x10) dcs.message_class = raw & 3;
            dcs.alphabet = alphabet_bits(raw);
            break;
        case 0xC:  // message waiting: discard, store, store in UCS-2
        case 0xD:
        case 0xE:
            dcs.waiting = Dcs::Waiting{.active = (raw & 0x08) != 0, .kind = raw & 3, .store = raw >> 4 != 0xC};
            dcs.alphabet = raw >> 4 == 0xE ? Alphabet::ucs2 : Alphabet::gsm7;
            break;
        case 0xF:  // data coding and message class
            dcs.message_class = raw & 3;
            dcs.alphabet = raw & 0x04 ? Alphabet::data8 : Alphabet::gsm7;
            break;
        default: break;  // 8-B are reserved: GSM-7 without a class
    }
    return dcs;
}

std::uint8_t make_dcs(Alphabet alphabet, std::optional<int> message_class) {
    const int bits = static_cast<int>(alphabet) << 2;
    return static_cast<std::uint8_t>(message_class ? bits | 0x10 | (*message_class & 3) : bits);
}

}  // namespace conductor::pdu
