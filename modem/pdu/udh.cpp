// What the elements of a user data header mean, TS 23.040 §9.2.3.24.
#include "modem/pdu/pdu.hpp"

namespace conductor::pdu {
namespace {

constexpr std::uint8_t iei_concat8 = 0x00, iei_ports8 = 0x04, iei_ports16 = 0x05, iei_concat16 = 0x08;
constexpr std::uint8_t iei_single_shift = 0x24, iei_locking_shift = 0x25;

std::uint16_t big_endian(std::uint8_t high, std::uint8_t low) {
    return static_cast<std::uint16_t>(high << 8 | low);
}

}  // namespace

std::optional<Concat> find_concat(const Udh& udh) {
    std::optional<Concat> found;
    for (const Element& e : udh) {
        std::optional<Concat> c;
        if (e.iei == iei_concat8 && e.data.size() == 3) c = Concat{e.data[0], e.data[1], e.data[2], false};
        if (e.iei == iei_concat16 && e.data.size() == 4) c = Concat{big_endian(e.data[0], e.data[1]), e.data[2], e.data[3], true};
        if (c && c->seq >= 1 && c->seq <= c->total) found = c;
    }
    return found;
}

std::optional<Ports> find_ports(const Udh& udh) {
    std::optional<Ports> found;
    for (const Element& e : udh) {
        if (e.iei == iei_ports8 && e.data.size() == 2) found = Ports{e.data[0], e.data[1], false};
        if (e.iei == iei_ports16 && e.data.size() == 4) {
            found = Ports{big_endian(e.data[0], e.data[1]), big_endian(e.data[2], e.data[3]), true};
        }
    }
    return found;
}

National find_national(const Udh& udh) {
    National found;
    for (const Element& e : udh) {
        if (e.data.size() != 1) continue;
        if (e.iei == iei_single_shift) found.single = e.data[0];
        if (e.iei == iei_locking_shift) found.locking = e.data[0];
    }
    return found;
}

}  // namespace conductor::pdu
