#pragma once
// GSM 7 bit alphabets (TS 23.038 §6.2.1 and annex A): septets, their packing, and the tables of the national languages.
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "modem/pdu/pdu.hpp"

namespace conductor::pdu {

/// Code point of each of the 128 positions; 0 where the table has none.
using Table = std::array<char16_t, 128>;
constexpr std::uint8_t escape_septet = 0x1B;

/// Locking shift table of a language (TS 23.038 §6.2.1.2.4); 0 is the default alphabet. nullptr when the language has none.
const Table* locking_table(std::uint8_t language);
/// Single shift table of a language; 0 is the default extension table. nullptr when the language has none.
const Table* single_shift_table(std::uint8_t language);
/// Highest language identifier that has tables.
constexpr std::uint8_t last_language = 13;

using Septets = std::vector<std::uint8_t>;

/// Encoder and decoder for one pair of tables. Unknown languages mean the default tables, as §6.2.1.2.4 asks of a receiver.
class Gsm7 {
public:
    explicit Gsm7(National national = {});
    /// Septets that a character costs: 1, 2 (escape sequence) or 0 when neither table has it.
    int cost(char32_t c) const;
    /// Appends the septets of a character; false, and nothing appended, when neither table has it.
    bool append(char32_t c, Septets& out) const;
    /// Never fails: an escape to a position that the single shift table lacks shows the locking table's character, escape escape and a
    /// lone escape at the end a space (§6.2.1.1), a position that the locking table lacks U+FFFD.
    std::string decode(std::span<const std::uint8_t> septets) const;

private:
    std::uint8_t locking_, single_;
};

/// Packs septets behind `skip_bits` zero bits (fill bits after a header), least significant bit first (TS 23.038 §6.1.2.1).
Octets pack(std::span<const std::uint8_t> septets, std::size_t skip_bits = 0);
/// Reads `count` septets after `skip_bits` bits; stops early where the octets end.
Septets unpack(View octets, std::size_t count, std::size_t skip_bits = 0);

}  // namespace conductor::pdu
