#include "modem/pdu/stored.hpp"

#include <bit>

namespace conductor::pdu {

Octets stored_form(View octets) {
    if (octets.empty()) return {};
    const std::size_t skip = 1U + octets[0];
    if (octets.size() < skip + 2 || (octets[skip] & 3U) != 1) return {};
    Octets form{octets.begin() + static_cast<std::ptrdiff_t>(skip), octets.end()};
    form[1] = 0;
    return form;
}

std::optional<std::int64_t> stored_fingerprint(View octets) {
    const Octets form = stored_form(octets);
    if (form.empty()) return std::nullopt;
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (const std::uint8_t octet : form) hash = (hash ^ octet) * 0x100000001b3U;
    return std::bit_cast<std::int64_t>(hash);
}

}  // namespace conductor::pdu
