#include "daemon/core/sha256.hpp"

#include <algorithm>
#include <bit>

namespace conductor {
namespace {

using Word = std::uint32_t;
using Wide = unsigned __int128;

constexpr std::array<unsigned, 64> first_primes() {
    std::array<unsigned, 64> primes{};
    std::size_t found = 0;
    for (unsigned n = 2; found < primes.size(); ++n) {
        bool prime = true;
        for (std::size_t i = 0; i < found; ++i) prime = prime && n % primes[i] != 0;
        if (prime) primes[found++] = n;
    }
    return primes;
}

/// The first 32 bits of the fraction of the `power`-th root of n (§4.2.2, §5.3.3): the root of n * 2^(32 * power), cut to a word.
constexpr Word root_fraction(unsigned n, int power) {
    const Wide value = Wide{n} << (32 * power);
    std::uint64_t root = 0;
    for (std::uint64_t bit = std::uint64_t{1} << 37; bit != 0; bit >>= 1) {
        const Wide next = root | bit;
        if ((power == 2 ? next * next : next * next * next) <= value) root |= bit;
    }
    return static_cast<Word>(root);
}

template <std::size_t Count>
constexpr std::array<Word, Count> constants(int power) {
    std::array<Word, Count> words{};
    for (std::size_t i = 0; i < Count; ++i) words[i] = root_fraction(first_primes()[i], power);
    return words;
}

constexpr auto rounds = constants<64>(3);
constexpr auto initial = constants<8>(2);

void take_block(std::array<Word, 8>& hash, const std::uint8_t* block) {
    std::array<Word, 64> w{};
    for (std::size_t t = 0; t < 16; ++t)
        w[t] = Word{block[4 * t]} << 24 | Word{block[4 * t + 1]} << 16 | Word{block[4 * t + 2]} << 8 | Word{block[4 * t + 3]};
    for (std::size_t t = 16; t < 64; ++t) {
        const Word a = w[t - 15], b = w[t - 2];
        w[t] = (std::rotr(b, 17) ^ std::rotr(b, 19) ^ b >> 10) + w[t - 7] + (std::rotr(a, 7) ^ std::rotr(a, 18) ^ a >> 3) + w[t - 16];
    }
    auto [a, b, c, d, e, f, g, h] = hash;
    for (std::size_t t = 0; t < 64; ++t) {
        const Word one = h + (std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25)) + ((e & f) ^ (~e & g)) + rounds[t] + w[t];
        const Word two = (std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
        h = g, g = f, f = e, e = d + one, d = c, c = b, b = a, a = one + two;
    }
    const std::array<Word, 8> add{a, b, c, d, e, f, g, h};
    for (std::size_t i = 0; i < hash.size(); ++i) hash[i] += add[i];
}

}  // namespace

Sha256 sha256(std::string_view octets) {
    auto hash = initial;
    std::array<std::uint8_t, 64> block{};
    std::string_view left = octets;
    const auto fill = [&block](std::string_view from) {
        std::ranges::transform(from, block.begin(), [](char c) { return static_cast<std::uint8_t>(c); });
    };
    for (; left.size() >= block.size(); left.remove_prefix(block.size())) {
        fill(left.substr(0, block.size()));
        take_block(hash, block.data());
    }
    block.fill(0);
    fill(left);
    block[left.size()] = 0x80;  // §5.1.1
    if (left.size() >= 56) {
        take_block(hash, block.data());
        block.fill(0);
    }
    const std::uint64_t bits = 8 * std::uint64_t{octets.size()};
    for (std::size_t i = 0; i < 8; ++i) block[56 + i] = static_cast<std::uint8_t>(bits >> (56 - 8 * i));
    take_block(hash, block.data());
    Sha256 digest{};
    for (std::size_t i = 0; i < digest.size(); ++i) digest[i] = static_cast<std::uint8_t>(hash[i / 4] >> (24 - 8 * (i % 4)));
    return digest;
}

std::string hex_of(const Sha256& digest, std::size_t octets) {
    std::string hex;
    for (std::size_t i = 0; i < std::min(octets, digest.size()); ++i) {
        hex += "0123456789abcdef"[digest[i] >> 4];
        hex += "0123456789abcdef"[digest[i] & 15];
    }
    return hex;
}

}  // namespace conductor
