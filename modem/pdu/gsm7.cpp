#include "modem/pdu/gsm7.hpp"

#include <algorithm>

#include "modem/pdu/unicode.hpp"

namespace conductor::pdu {
namespace {

/// From code point to position, sorted. A character that a table has twice is encoded at its first position.
struct Reverse {
    struct Entry {
        char16_t c;
        std::uint8_t septet;
    };
    std::vector<Entry> entries;

    explicit Reverse(const Table* table) {
        if (!table) return;
        for (std::size_t i = 0; i < table->size(); ++i) {
            if ((*table)[i] != 0 && i != escape_septet) entries.push_back({(*table)[i], static_cast<std::uint8_t>(i)});
        }
        std::ranges::stable_sort(entries, {}, &Entry::c);
        const auto twice = std::ranges::unique(entries, {}, &Entry::c);
        entries.erase(twice.begin(), twice.end());
    }
    /// 0-127, or -1.
    int find(char32_t c) const {
        if (c > 0xFFFF) return -1;
        const auto at = std::ranges::lower_bound(entries, static_cast<char16_t>(c), {}, &Entry::c);
        return at != entries.end() && at->c == c ? at->septet : -1;
    }
};

using Reverses = std::vector<Reverse>;

const Reverse& locking_reverse(std::uint8_t language) {
    static const Reverses all = [] {
        Reverses out;
        for (int i = 0; i <= last_language; ++i) out.emplace_back(locking_table(static_cast<std::uint8_t>(i)));
        return out;
    }();
    return all[language];
}

const Reverse& single_reverse(std::uint8_t language) {
    static const Reverses all = [] {
        Reverses out;
        for (int i = 0; i <= last_language; ++i) out.emplace_back(single_shift_table(static_cast<std::uint8_t>(i)));
        return out;
    }();
    return all[language];
}

}  // namespace

Gsm7::Gsm7(National national)
    : locking_{locking_table(national.locking) ? national.locking : std::uint8_t{0}},
      single_{single_shift_table(national.single) ? national.single : std::uint8_t{0}} {}

int Gsm7::cost(char32_t c) const {
    if (locking_reverse(locking_).find(c) >= 0) return 1;
    return single_reverse(single_).find(c) >= 0 ? 2 : 0;
}

bool Gsm7::append(char32_t c, Septets& out) const {
    int septet = locking_reverse(locking_).find(c);
    if (septet < 0) {
        septet = single_reverse(single_).find(c);
        if (septet < 0) return false;
        out.push_back(escape_septet);
    }
    out.push_back(static_cast<std::uint8_t>(septet));
    return true;
}

std::string Gsm7::decode(std::span<const std::uint8_t> septets) const {
    const Table& locking = *locking_table(locking_);
    const Table& single = *single_shift_table(single_);
    std::string out;
    out.reserve(septets.size());
    for (std::size_t i = 0; i < septets.size(); ++i) {
        std::uint8_t septet = septets[i] & 0x7F;
        char32_t c = 0;
        if (septet == escape_septet) {
            if (i + 1 == septets.size()) {
                out.push_back(' ');
                break;
            }
            septet = septets[++i] & 0x7F;
            c = septet == escape_septet ? U' ' : static_cast<char32_t>(single[septet]);
        }
        if (c == 0) c = locking[septet];
        append_utf8(out, c == 0 ? replacement_character : c);
    }
    return out;
}

Octets pack(std::span<const std::uint8_t> septets, std::size_t skip_bits) {
    Octets out((skip_bits + septets.size() * 7 + 7) / 8, 0);
    std::size_t bit = skip_bits;
    for (const std::uint8_t septet : septets) {
        const unsigned shifted = (septet & 0x7Fu) << (bit % 8);
        out[bit / 8] = static_cast<std::uint8_t>(out[bit / 8] | shifted);
        if (shifted > 0xFF) out[bit / 8 + 1] = static_cast<std::uint8_t>(shifted >> 8);
        bit += 7;
    }
    return out;
}

Septets unpack(View octets, std::size_t count, std::size_t skip_bits) {
    Septets out;
    out.reserve(std::min(count, octets.size() * 8 / 7 + 1));
    for (std::size_t i = 0, bit = skip_bits; i < count && bit + 7 <= octets.size() * 8; ++i, bit += 7) {
        unsigned two = octets[bit / 8];
        if (bit / 8 + 1 < octets.size()) two |= static_cast<unsigned>(octets[bit / 8 + 1]) << 8;
        out.push_back(static_cast<std::uint8_t>(two >> (bit % 8) & 0x7F));
    }
    return out;
}

}  // namespace conductor::pdu
