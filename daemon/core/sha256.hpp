#pragma once
// SHA-256 (FIPS 180-4) of short texts: keys, hashes and fingerprints. By libmd, since OpenSSL takes three megabytes of a small box's
// memory.
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace conductor {

using Sha256 = std::array<std::uint8_t, 32>;
Sha256 sha256(std::string_view octets);
/// The first `octets` of a digest, two lower-case digits each.
std::string hex_of(const Sha256& digest, std::size_t octets = 32);

}  // namespace conductor
